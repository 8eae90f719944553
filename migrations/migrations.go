// Package migrations holds the SQL that makes Banyan's own tables, in golang-migrate's layout: the control store's and, apart
// from it, the ledger's, so that each can live on a server of its own.
//
// Each file has exactly one statement, since DDL commits itself: what was done is then never half of a file. Going up, a
// statement may be run again. The files name no schema. Running them is the work of adapters/store.
package migrations

import "embed"

// Files has the directories control and ledger.
//
//go:embed control/*.sql ledger/*.sql
var Files embed.FS
