package legacy_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"banyan.dev/banyan/internal/devstack"
)

// pagingColumns are the columns that lists are ordered by: of every kind, with ties and with NULLs.
var pagingColumns = []struct{ name, kind string }{
	{"n", "INT NULL"},
	{"big", "BIGINT UNSIGNED NOT NULL"},
	{"dec_", "DECIMAL(30,10) NULL"},
	{"txt", "VARCHAR(20) NULL"},
	{"lat", "VARCHAR(10) CHARACTER SET latin1 NOT NULL"},
	{"bin", "VARBINARY(8) NULL"},
	{"at", "DATETIME(6) NULL"},
	{"day", "DATE NOT NULL"},
	{"dbl", "DOUBLE NULL"},
	{"tm", "TIME(3) NULL"},
	{"yr", "YEAR NOT NULL"},
}

// TestPagesGiveEveryRowOnce walks lists in pages, in random orders over columns of every kind with ties and NULLs, and
// compares what they give with what one SELECT gives.
func TestPagesGiveEveryRowOnce(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) { pagesGiveEveryRowOnce(t, server) })
	}
}

func pagesGiveEveryRowOnce(t *testing.T, server *devstack.Server) {
	var orders []string
	for _, a := range pagingColumns {
		for _, dir := range []string{"", " DESC"} {
			orders = append(orders, a.name+dir+", id"+dir, a.name+dir+", n, id DESC")
		}
	}
	orders = append(orders, "n DESC, dec_, txt DESC, id", "id", "id DESC")
	var schema, sql strings.Builder
	schema.WriteString("CREATE TABLE t (id INT PRIMARY KEY")
	for _, c := range pagingColumns {
		schema.WriteString(", " + c.name + " " + c.kind)
	}
	schema.WriteString(") ENGINE=InnoDB DEFAULT CHARSET utf8mb4;")
	sql.WriteString("-- rpc: lab.v1.S.List\n-- name: rows :many into=rows\nSELECT t.id")
	for _, c := range pagingColumns {
		sql.WriteString(", t." + c.name + " AS _" + c.name)
	}
	sql.WriteString("\n FROM t\n WHERE :page\n")
	for i, o := range orders {
		sql.WriteString(" ORDER BY " + qualified(o) + fmt.Sprintf(" -- if: order == %d\n", i))
	}
	sql.WriteString(";\n")
	l := newLab(t, server, &txtar.Archive{Files: []txtar.File{
		{Name: "lab.proto", Data: []byte(`syntax = "proto3"; package lab.v1;
			message Row { int32 id = 1; } message Req { int32 page_size = 1; string page_token = 2; int32 order = 3; }
			message Rows { repeated Row rows = 1; string next_page_token = 2; }
			service S { rpc List(Req) returns (Rows) { option idempotency_level = NO_SIDE_EFFECTS; } }
			service Unserved { rpc X(Req) returns (Rows); }`)},
		{Name: "schema.sql", Data: []byte(schema.String())},
		{Name: "list.sql", Data: []byte(sql.String())},
	}})
	if err := l.faults.Err(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		insertRandomRows(t, rt, l)
		for range 6 {
			order := rapid.IntRange(0, len(orders)-1).Draw(rt, "order")
			size := rapid.IntRange(1, 5).Draw(rt, "size")
			want := strings.Fields(l.rows(t, "SELECT id FROM t ORDER BY "+orders[order]))
			got := walk(t, rt, l, order, size, len(want))
			if strings.Join(got, " ") != strings.Join(want, " ") {
				rt.Fatalf("ORDER BY %s, pages of %d:\n got %v\nwant %v", orders[order], size, got, want)
			}
		}
	})
}

// qualified puts the table in front of each column of an order.
func qualified(order string) string {
	items := strings.Split(order, ", ")
	for i := range items {
		items[i] = "t." + items[i]
	}
	return strings.Join(items, ", ")
}

// walk reads a list page by page.
func walk(t *testing.T, rt *rapid.T, l *lab, order, size, most int) []string {
	var got []string
	token := ""
	for range most + 2 {
		replies := l.call(t, "S.List", fmt.Sprintf(`{"order":%d,"pageSize":%d,"pageToken":%q}`, order, size, token))
		var page struct {
			Rows          []struct{ ID int }
			NextPageToken string
		}
		if err := json.Unmarshal([]byte(replies[0]), &page); err != nil {
			rt.Fatalf("%v", replies)
		}
		for _, r := range page.Rows {
			got = append(got, fmt.Sprint(r.ID))
		}
		if token = page.NextPageToken; token == "" {
			return got
		}
	}
	rt.Fatalf("the list never ends")
	return nil
}

// insertRandomRows fills the table with few different values, so that there are ties.
func insertRandomRows(t *testing.T, rt *rapid.T, l *lab) {
	pick := func(name string, values ...string) string { return rapid.SampledFrom(values).Draw(rt, name) }
	n := rapid.IntRange(1, 12).Draw(rt, "rows")
	rows := make([]string, n)
	for i := range rows {
		rows[i] = fmt.Sprintf("(%d,%s)", i+1, strings.Join([]string{
			pick("n", "NULL", "-5", "0", "7"),
			pick("big", "0", "9223372036854775808", "18446744073709551615"),
			pick("dec", "NULL", "0.0000000001", "12345678901234567890.1234567891", "12345678901234567890.1234567892", "-1"),
			pick("txt", "NULL", "''", "'a'", "'A'", "'ä'", "'\\\\%'", "'b '"),
			pick("lat", "''", "'é'", "'z'", "'Z'"),
			pick("bin", "NULL", "''", "x'00'", "x'0000'", "x'ff'"),
			pick("at", "NULL", "'0000-00-00 00:00:00'", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'"),
			pick("day", "'0000-00-00'", "'2024-02-29'"),
			pick("dbl", "NULL", "0.1", "-1e300", "1e-300", "0.30000000000000004", "0.3"),
			pick("tm", "NULL", "'-838:59:59'", "'00:00:00.001'", "'12:00:00'"),
			pick("yr", "1901", "2155", "0"),
		}, ","))
	}
	script := "DELETE FROM t; INSERT INTO t VALUES " + strings.Join(rows, ",")
	if _, err := l.db.ExecContext(t.Context(), "SET sql_mode='STRICT_ALL_TABLES'; "+script); err != nil {
		rt.Fatal(err)
	}
}
