// Package alltypes has one table of all column types of MariaDB and MySQL with the values at their edges: what an event of
// the mirror has of each, and which fields of a contract it can be read into and written from.
//
// Its tests take each value through a served contract, over REST and gRPC, and through the mirror, on real servers, and
// ask for equal values or a clear refusal. docs/types.md is written from the same table.
//
// What a conversion does is not in here: see legacy/value for the facade, adapters/binlog and mirror for events.
package alltypes
