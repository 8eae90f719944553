// Package binlog is the change.Source over the binary log of MySQL 8.0+ and MariaDB 10.5+. It owns the replication
// protocol, the log's formats, and what of DDL the log tells. What becomes of changes is the mirror's work.
//
// It asks the server for binlog_format=ROW, binlog_row_image=FULL, binlog_row_metadata=FULL and, on MySQL,
// gtid_mode=ON: names, signs, charsets and keys then come with the rows, so that there is no history of schemas to keep.
// What was written otherwise is a *change.StopError that names the setting.
//
// go-mysql connects, logs in and splits the stream into events. All else happens on the goroutine that calls Next, row
// by row out of the event's own bytes: values alias them where no conversion is needed.
//
// What is streamed:
//
//   - Transactions in commit order. A prepared XA transaction is passed over and given when its XA COMMIT comes, under that
//     one's id; until then no End passes it.
//   - What of a transaction was rolled back is not given, though MariaDB's log can have it: see ahead. For that, a MariaDB
//     transaction is kept in memory up to a limit; of a larger one, the log is read twice.
//   - What a server was killed in before it was committed is not given, though MariaDB leaves its beginning in the log.
//   - Changes of rows of tables in scope, of any engine; what a trigger changes, too. Changes by foreign keys' cascades
//     are not in the log.
//   - DDL of tables in scope, one Statement for each table: see statementOf. Views, routines, users, temporary tables and
//     the like are left out.
//   - DML that was logged as a statement's text, as an Opaque Statement.
//   - An End for each transaction and for each file, in scope or not, so that the position goes on.
package binlog
