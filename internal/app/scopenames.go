package app

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/pool"
)

// takeNames writes the names of schemas and tables in the project's config as the log has them, where the server makes
// them lower case: it finds a schema by any case, but the log has one only, with which scope and ledger are compared.
func (p *Project) takeNames(ctx context.Context, conns *pool.Pool) error {
	set, err := askRows(ctx, conns, "SELECT CAST(@@GLOBAL.lower_case_table_names AS CHAR)", nil)
	if err != nil || len(set) == 0 || set[0][0] == "0" {
		return err
	}
	p.Config, p.lower = lowered(p.Config), true
	return nil
}

// lowered gives a config that means the same with all names in lower case.
func lowered(cfg *config.Config) *config.Config {
	out, s := *cfg, newScope(cfg)
	lower := func(globs []string) []string {
		all := make([]string, len(globs))
		for i, glob := range globs {
			all[i] = strings.ToLower(glob)
		}
		return all
	}
	out.Ledger.Schema = config.Name(strings.ToLower(s.ledger))
	out.Mirror.Tables, out.Mirror.Except, out.Mirror.OmitColumns = lower(s.tables), lower(s.except), lower(s.omit)
	return &out
}

// unmatched finds globs of the mirror's that stand for nothing that is there.
func (p *Project) unmatched(ctx context.Context, conns *pool.Pool) (fault.List, error) {
	var faults fault.List
	s := newScope(p.Config)
	for _, of := range []struct {
		key, what, fix string
		globs          []string
		columns        bool
	}{
		{"mirror.tables", "no table", "correct it: changes of the table that it was meant for are no events", s.tables, false},
		{"mirror.except", "no table", "correct it: changes of the table that it was meant for are events", s.except, false},
		{"mirror.omit_columns", "no column", "correct it: the column that it was meant for is in the events", s.omit, true},
	} {
		if len(of.globs) == 0 {
			continue
		}
		names, err := readNames(ctx, conns, of.globs, of.columns)
		if err != nil {
			return faults, err
		}
		if p.lower { // some servers tell names as they were written all the same
			for _, name := range names {
				name[0], name[1] = strings.ToLower(name[0]), strings.ToLower(name[1])
			}
		}
		for i, glob := range of.globs {
			if !slices.ContainsFunc(names, func(name []string) bool { return stands(glob, name) }) {
				at := p.Config.Pos(config.Indexed(of.key, i))
				if at.Line == 0 { // all of the DSN's schema, by default: the preflight says that nothing is in scope
					continue
				}
				faults.Warn(at, of.fix, "%s matches %s of the legacy", glob, of.what)
			}
		}
	}
	return faults, nil
}

// stands says whether a glob of schema.table or schema.table.column matches a name in as many parts.
func stands(glob string, name []string) bool {
	parts := strings.SplitN(glob, ".", len(name))
	if len(parts) != len(name) {
		return false
	}
	for i, part := range parts {
		is := name[i]
		if i == 2 { // columns' names have no case
			part, is = strings.ToLower(part), strings.ToLower(is)
		}
		if !match(part, is) {
			return false
		}
	}
	return true
}

// readNames gives schema and table, and the column if asked for, of what is there in the globs' schemas.
func readNames(ctx context.Context, conns *pool.Pool, globs []string, columns bool) ([][]string, error) {
	where, args := " WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')", []driver.Value(nil)
	if schemas := (scope{tables: globs}).schemas(); schemas != nil {
		where = " WHERE table_schema IN (?" + strings.Repeat(", ?", len(schemas)-1) + ")"
		for _, schema := range schemas {
			args = append(args, schema)
		}
	}
	query := "SELECT table_schema, table_name FROM information_schema.tables" + where + " AND table_type <> 'VIEW'"
	if columns {
		query = "SELECT table_schema, table_name, column_name FROM information_schema.columns" + where
	}
	names, err := askRows(ctx, conns, query, args)
	if err != nil {
		return nil, fmt.Errorf("reading which tables there are: %w", err)
	}
	return names, nil
}

// askRows gives all rows of a statement that gives texts.
func askRows(ctx context.Context, conns *pool.Pool, query string, args []driver.Value) ([][]string, error) {
	conn, err := conns.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, query, args)
	if err != nil {
		return nil, err
	}
	var all [][]string
	row := make([]driver.Value, len(rows.Columns()))
	for {
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			return all, rows.Close()
		}
		if err != nil {
			return nil, err
		}
		texts := make([]string, len(row))
		for i, v := range row {
			text, _ := v.([]byte) // never NULL
			texts[i] = string(text)
		}
		all = append(all, texts)
	}
}
