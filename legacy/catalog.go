package legacy

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"banyan.dev/banyan/legacy/pool"
)

// Catalog is what a live server has of tables, views and routines, as far as the account that asked may see it.
type Catalog struct {
	foldCase bool // names of schemas and tables are the same in any case
	tables   map[string]*catalogTable
	routines map[string]*catalogRoutine
}

type catalogTable struct {
	schema, name string
	columns      []string // in lower case
	// invoker says that it is a view that runs with its caller's rights, and query what it reads; empty: not to be seen.
	invoker bool
	query   string
}

type catalogRoutine struct {
	schema, name string
	invoker      bool
}

// ReadCatalog reads the server's catalog.
func ReadCatalog(ctx context.Context, conns *pool.Pool) (*Catalog, error) {
	conn, err := conns.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	c := &Catalog{tables: map[string]*catalogTable{}, routines: map[string]*catalogRoutine{}}
	err = scan(ctx, conn, "SELECT CAST(@@GLOBAL.lower_case_table_names AS CHAR)", nil, func(row []driver.Value) { c.foldCase = text(row[0]) != "0" })
	if err != nil {
		return nil, err
	}
	err = scan(ctx, conn, "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE table_schema <> 'information_schema'", nil, func(row []driver.Value) {
		key := c.key(text(row[0]), text(row[1]))
		if c.tables[key] == nil {
			c.tables[key] = &catalogTable{schema: text(row[0]), name: text(row[1])}
		}
		c.tables[key].columns = append(c.tables[key].columns, strings.ToLower(text(row[2])))
	})
	if err != nil {
		return nil, err
	}
	err = scan(ctx, conn, "SELECT table_schema, table_name, view_definition FROM information_schema.views WHERE security_type = 'INVOKER'", nil, func(row []driver.Value) {
		if t := c.tables[c.key(text(row[0]), text(row[1]))]; t != nil {
			t.invoker, t.query = true, text(row[2])
		}
	})
	if err != nil {
		return nil, err
	}
	err = scan(ctx, conn, "SELECT routine_schema, routine_name, routine_type, security_type FROM information_schema.routines WHERE routine_type IN ('FUNCTION', 'PROCEDURE')", nil, func(row []driver.Value) {
		c.routines[c.routineKey(text(row[0]), text(row[1]), text(row[2]) == "PROCEDURE")] = &catalogRoutine{
			schema: text(row[0]), name: text(row[1]), invoker: text(row[3]) == "INVOKER",
		}
	})
	return c, err
}

func (c *Catalog) key(schema, name string) string {
	key := schema + "\x00" + name
	if c.foldCase {
		key = strings.ToLower(key)
	}
	return key
}

// routineKey is in lower case: names of routines have none.
func (c *Catalog) routineKey(schema, name string, procedure bool) string {
	key := schema + "\x00" + strings.ToLower(name)
	if c.foldCase {
		key = strings.ToLower(key)
	}
	if procedure {
		key += "\x00p"
	}
	return key
}

// hasOne says whether the table has one of some columns.
func (t *catalogTable) hasOne(columns []string) bool {
	return slices.ContainsFunc(columns, func(name string) bool { return slices.Contains(t.columns, strings.ToLower(name)) })
}
