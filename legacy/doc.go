// Package legacy is the legacy system as a strangler.Backend: annotated SQL, compiled against the contract and the
// live schema, answers each operation; rows go to the wire without an intermediate message.
//
// It owns the binding of statements to the contract (parameters, conditions, rows into replies, paging), transactions,
// and puts. The text of SQL files is package annotated's, single values are package value's, connections are package
// pool's.
//
// A Program is what is known without a database (Compile); Verify adds what only the server knows (columns, types,
// keys) and finds what is wrong; a Backend runs it.
package legacy
