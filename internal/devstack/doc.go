// Package devstack starts private MariaDB, RabbitMQ and PostgreSQL servers, for tests and for the demo.
//
// Each server has a directory, a port and a process group of its own, listens on
// loopback only, and is gone when the program that started it is gone, however
// that ended. Nothing here looks at, starts or stops a server of the system.
//
// Programs call StartDatabase and StartBroker. Tests call MariaDB, OwnMariaDB,
// Databases, RabbitMQ and OwnRabbitMQ, which fail the test when a server can't start, and PostgreSQL and
// OwnPostgreSQL, which skip it where that is not installed: it is for what services keep, and Banyan needs none.
//
// Not in here: schemas, data, exchanges or anything else that a server holds;
// and no settings for production.
package devstack
