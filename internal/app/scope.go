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
	omit   []string // globs of schema.table.column
}

func newScope(cfg *config.Config) scope {
	s := scope{ledger: cfg.Ledger.Schema.String()}
	if dsn, err := mysql.ParseDSN(cfg.Legacy.DSN.Reveal()); err == nil { // what is wrong with it was reported
		s.schema = dsn.DBName
	}
	s.tables, s.except = s.whole(cfg.Mirror.Tables), s.whole(cfg.Mirror.Except)
	for _, glob := range cfg.Mirror.OmitColumns {
		if strings.Count(glob, ".") == 1 {
			glob = escape(s.schema) + "." + glob
		}
		s.omit = append(s.omit, glob)
	}
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

// literal gives the one name that a glob matches, if it matches one only.
func literal(glob string) (name string, one bool) {
	var sb strings.Builder
	for i := 0; i < len(glob); i++ {
		switch glob[i] {
		case '*', '?', '[':
			return "", false
		case '\\':
			if i++; i == len(glob) {
				return "", false // no glob
			}
		}
		sb.WriteByte(glob[i])
	}
	return sb.String(), true
}

// has says whether a table's changes are events. An empty table stands for all of a schema's.
func (s scope) has(schema, table string) bool {
	if schema == s.ledger {
		return false
	}
	matches := func(glob string) bool {
		schemaGlob, tableGlob, _ := strings.Cut(glob, ".")
		return match(schemaGlob, schema) && (table == "" || match(tableGlob, table))
	}
	return slices.ContainsFunc(s.tables, matches) && (table == "" || !slices.ContainsFunc(s.except, matches))
}

// schemas gives the schemas in scope, or none where a glob stands for some.
func (s scope) schemas() []string {
	var out []string
	for _, glob := range s.tables {
		name, _, _ := strings.Cut(glob, ".")
		name, one := literal(name)
		if !one {
			return nil
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// omits says whether events leave a column out. Columns' names have no case.
func (s scope) omits(schema, table, column string) bool {
	return slices.ContainsFunc(s.omit, func(glob string) bool {
		parts := strings.SplitN(glob, ".", 3)
		return len(parts) == 3 && match(parts[0], schema) && match(parts[1], table) && match(strings.ToLower(parts[2]), strings.ToLower(column))
	})
}

// match takes a slash in a name for any other character, which path.Match does not.
func match(glob, name string) bool {
	ok, err := path.Match(glob, strings.ReplaceAll(name, "/", "\x00"))
	return err == nil && ok
}

// reads says whether the mirror has to see a table's changes: those in scope, and Banyan's own.
func (s scope) reads(schema, table string) bool { return schema == s.ledger || s.has(schema, table) }
