package shop_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"

	shop "banyan.dev/banyan/examples/shop"
	"banyan.dev/banyan/examples/shop/schema"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/annotated"
)

// Every statement, with each optional line alone, all and none, is understood by the servers.
func TestStatementsExplain(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			conn := connect(t, server.NewSchema(t))
			for _, statement := range statements(t) {
				for _, text := range variants(statement) {
					explain(t, conn, statement, text)
				}
			}
		})
	}
}

// connect makes the shop's tables and gives a connection to them.
func connect(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("mysql", dsn+"?interpolateParams=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := schema.Create(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	conn, err := schema.Conn(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func explain(t *testing.T, conn *sql.Conn, s *annotated.Statement, text string) *sql.Rows {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), "EXPLAIN "+text)
	if err != nil {
		t.Errorf("%s: statement %s: %v\n%s", s.Pos, s.Name, err, text)
		return nil
	}
	defer rows.Close() //nolint:errcheck // Err tells what went wrong.
	for rows.Next() {
		continue
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%s: statement %s: %v\n%s", s.Pos, s.Name, err, text)
	}
	return rows
}

// statements gives the statements of the example that have SQL.
func statements(t *testing.T) []*annotated.Statement {
	t.Helper()
	var out []*annotated.Statement
	for _, b := range blocks(t) {
		for _, s := range b.Statements {
			if len(s.Lines) > 0 {
				out = append(out, s)
			}
		}
	}
	return out
}

// blocks reads every file of the example's SQL.
func blocks(t *testing.T) []*annotated.Block {
	t.Helper()
	names, err := fs.Glob(shop.Files(), "sql/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d files: %v", len(names), err)
	}
	var out []*annotated.Block
	for _, name := range names {
		text, err := fs.ReadFile(shop.Files(), name)
		if err != nil {
			t.Fatal(err)
		}
		file, faults := annotated.Parse(name, text)
		for _, f := range faults.All() {
			t.Error(f)
		}
		out = append(out, file.Blocks...)
	}
	return out
}

// variants gives a statement's SQL without its optional lines, with all of them and with each alone, each with every
// order that it offers.
func variants(s *annotated.Statement) []string {
	orders, optional := []int{-1}, []int{}
	for i, l := range s.Lines {
		switch {
		case l.Condition == annotated.Always:
		case strings.HasPrefix(strings.TrimSpace(lineText(l)), "ORDER BY"):
			if orders[0] < 0 {
				orders = orders[:0]
			}
			orders = append(orders, i)
		default:
			optional = append(optional, i)
		}
	}
	var out []string
	for _, order := range orders {
		out = append(out, assemble(s, order, func(int) bool { return false }), assemble(s, order, func(int) bool { return true }))
		for _, one := range optional {
			out = append(out, assemble(s, order, func(i int) bool { return i == one }))
		}
	}
	return out
}

func assemble(s *annotated.Statement, order int, with func(int) bool) string {
	var b strings.Builder
	for i, l := range s.Lines {
		text := lineText(l)
		isOrder := l.Condition != annotated.Always && strings.HasPrefix(strings.TrimSpace(text), "ORDER BY")
		if l.Condition == annotated.Always || isOrder && i == order || !isOrder && with(i) {
			fmt.Fprintln(&b, text)
		}
	}
	return b.String()
}

// lineText gives a line with values of about the right kind instead of its parameters.
func lineText(l annotated.Line) string {
	var b strings.Builder
	for _, p := range l.Pieces {
		switch {
		case p.Param == nil:
			b.WriteString(p.Text)
		case p.Param.IsPage():
			b.WriteString("TRUE")
		case p.Param.Func == "json":
			b.WriteString(`'{"colour": "blue"}'`)
		case strings.HasSuffix(p.Param.String(), "_time"), strings.Contains(p.Param.String(), "created_"), strings.HasSuffix(p.Param.String(), "_date"):
			b.WriteString("'2024-02-29 12:00:00'")
		case strings.HasSuffix(p.Param.String(), "id"), strings.HasSuffix(p.Param.String(), "quantity"):
			b.WriteString("7")
		default:
			b.WriteString("'1'")
		}
	}
	return b.String()
}
