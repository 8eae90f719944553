package app

import (
	"path"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/config"
)

// scope says which tables the mirror sends changes of.
type scope struct {
	schema string // of the DSN
	ledger string
	tables []string // globs of schema.table
	except []string
}

func newScope(cfg *config.Config) scope {
	s := scope{ledger: cfg.Ledger.Schema.String()}
	if dsn, err := mysql.ParseDSN(cfg.Legacy.DSN.Reveal()); err == nil { // what is wrong with it was reported
		s.schema = dsn.DBName
	}
	s.tables, s.except = s.whole(cfg.Mirror.Tables), s.whole(cfg.Mirror.Except)
	if len(s.tables) == 0 {
		s.tables = []string{escape(s.schema) + ".*"}
	}
	return s
}

// whole gives globs with their schema.
func (s scope) whole(globs []string) []string {
	out := make([]string, len(globs))
	for i, glob := range globs {
		if !strings.Contains(glob, ".") {
			glob = escape(s.schema) + "." + glob
		}
		out[i] = glob
	}
	return out
}

// escape makes a glob that matches a name only.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// has says whether a table's changes are events. An empty table stands for all of a schema's.
func (s scope) has(schema, table string) bool {
	if schema == s.ledger {
		return false
	}
	// path.Match takes the slash for a separator, which it is not in names.
	matches := func(glob string) bool {
		schemaGlob, tableGlob, _ := strings.Cut(glob, ".")
		inSchema, err := path.Match(schemaGlob, schema)
		if err != nil || !inSchema {
			return false
		}
		if table == "" {
			return true
		}
		inTable, err := path.Match(tableGlob, strings.ReplaceAll(table, "/", "\x00"))
		return err == nil && inTable
	}
	return slices.ContainsFunc(s.tables, matches) && (table == "" || !slices.ContainsFunc(s.except, matches))
}

// reads says whether the mirror has to see a table's changes: those in scope, and Banyan's own.
func (s scope) reads(schema, table string) bool { return schema == s.ledger || s.has(schema, table) }
