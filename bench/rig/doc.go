// Package rig is what the benchmarks of the mirror stand on: one durable MariaDB and one RabbitMQ, contenders in processes of
// their own, writing at a steady pace, and who has got how far. What contenders do, and what is measured of them, is not its affair.
package rig
