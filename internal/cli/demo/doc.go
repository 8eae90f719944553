// Package demo runs the example shop behind Banyan on private servers: MariaDB with the old shop's data, RabbitMQ, the
// old application that goes on writing, and Banyan itself.
//
// It owns how these are put together in one directory and one process. Servers are package devstack's, the shop is
// examples/shop's, Banyan is package app's.
package demo
