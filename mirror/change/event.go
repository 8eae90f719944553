package change

import "time"

// Event is what a Stream gives: a *Begin, then any number of *Rows and *Statement, then an *End.
type Event interface{ event() }

// Transaction is what is known of a transaction when it begins.
type Transaction struct {
	// ID is the transaction's GTID: 0-1-42 on MariaDB, uuid:42 on MySQL. It is unique, and the same each time.
	ID string
	// File and Offset are where it begins in the log, for versions.
	File   uint32
	Offset uint64
	// Committed is when it was committed, by the server's clock: microseconds on MySQL, whole seconds on MariaDB.
	Committed time.Time
	// XA names, as XAName does, the XA transaction that was prepared before and is committed by this one; empty for all others.
	XA string
}

// Begin opens a transaction. What follows was committed: a source gives nothing that can still be rolled back.
type Begin struct{ Transaction }

// Op is what happened to rows, or to a table.
type Op string

// What happens to rows.
const (
	Insert Op = "insert"
	Update Op = "update"
	Delete Op = "delete"
)

// Read is no change: a backfill has read the row as it was in a snapshot.
const Read Op = "read"

// What happens to tables.
const (
	// Create, Alter, Drop and Rename are DDL. A rename names the old table and the new name.
	Create Op = "create"
	Alter  Op = "alter"
	Drop   Op = "drop"
	Rename Op = "rename"
	// Truncate removes all rows at once, without a delete for each.
	Truncate Op = "truncate"
	// Partition removes or exchanges rows of partitions without a change for each: DROP, TRUNCATE, EXCHANGE PARTITION and their kin.
	Partition Op = "partition"
	// Opaque is a change of rows that the log has as a statement's text only: which rows, nobody can tell.
	Opaque Op = "opaque"
)

// Rows are changes of one table by one operation.
type Rows struct {
	Table *Table
	Op    Op
	// First is the number of the first row within the transaction, counted from 1. Rows outside the source's scope are
	// not given, but counted.
	First uint32
	Rows  []Row
}

// Statement is what happened to a whole table.
type Statement struct {
	Op Op
	// Schema and Table are the table's names; of an Opaque change that can't be told, Table is empty.
	Schema, Table string
	// ToSchema and ToTable are a renamed table's new names.
	ToSchema, ToTable string
	// SQL is the statement as the log has it.
	SQL string
	// Row is its number within the transaction, counted as rows are.
	Row uint32
}

// End closes a transaction, or a stretch of the log that has nothing in scope.
type End struct {
	// Next is where to go on from once all before it is safe. While a prepared XA transaction is undecided, that is no
	// further than where it begins.
	Next Position
	// At is the place right behind the transaction, on the server that is read.
	At Position
}

func (*Begin) event()     {}
func (*Rows) event()      {}
func (*Statement) event() {}
func (*End) event()       {}
