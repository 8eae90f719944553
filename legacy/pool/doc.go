// Package pool owns the connections to the legacy database: how many there are,
// who waits for one, how a statement runs on one and how it is stopped, and what
// a caller is told when MySQL or MariaDB says no.
//
// It speaks to go-sql-driver's connections without database/sql between: rows
// arrive uncopied, statements stay prepared on their connection, callers are
// served in the order in which they came, and a context that ends also ends its
// statement in the server. It never runs a statement twice once it may have run.
//
// It knows no operation, no annotated SQL and no message: package legacy does.
package pool
