// Package change has the words that sources and sinks of changes share: a position in a database's log, a transaction of
// row changes, a version that orders them, and the ports Source and Sink.
//
// It is a leaf. How a log is read is an adapter's work (adapters/binlog), how events look is the mirror's, and how they
// travel is another adapter's (adapters/rabbitmq).
package change
