// Package migrations holds the SQL that makes Banyan's own tables, in golang-migrate's layout: the control store's and, apart
// from it, the ledger's, so that each can live on a server of its own.
//
// Each file has exactly one statement, since DDL commits itself: what was done is then never half of a file. Going up, a
// statement may be run again, which is what mends a migration that was broken off. The files name no schema. Running them is
// the work of adapters/store.
//
// Programs of two versions run side by side while Banyan is upgraded, and an older one may come back. So a migration only
// adds what programs that don't know it can leave alone: tables, columns with defaults, indexes. One that can't, begins the
// next thousand (see PerGeneration): programs refuse tables of a later generation than they know.
package migrations

import "embed"

// Files has the directories control and ledger.
//
//go:embed control/*.sql ledger/*.sql
var Files embed.FS

// PerGeneration is how many versions a generation has: 1 to 999 are of the first, 1000 begins the second.
const PerGeneration = 1000
