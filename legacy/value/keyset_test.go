package value

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for _, tc := range []struct {
		typ  string
		v    driver.Value
		want driver.Value
	}{
		{"INT", nil, nil},
		{"INT", int64(-1 << 63), int64(-1 << 63)},
		{"UNSIGNED BIGINT", []byte("18446744073709551615"), uint64(1<<64 - 1)},
		{"UNSIGNED BIGINT", uint64(1 << 63), uint64(1 << 63)},
		{"UNSIGNED BIGINT", int64(7), int64(7)},
		{"BIT", []byte{1, 0}, int64(256)},
		{"YEAR", int64(2024), int64(2024)},
		{"FLOAT", float32(0.1), float64(float32(0.1))},
		{"DOUBLE", 0.1, 0.1},
		{"DECIMAL", []byte("-12.50"), "-12.50"},
		{"VARCHAR", []byte(""), ""},
		{"VARBINARY", []byte{0, 255}, []byte{0, 255}},
		{"VARBINARY", []byte{}, []byte{}},
		{"DATETIME", []byte("0000-00-00 00:00:00"), "0000-00-00 00:00:00"},
		{"DATE", []byte("2024-00-00"), "2024-00-00"},
		{"TIME", []byte("-838:59:59.999999"), "-838:59:59.999999"},
	} {
		col := Column{Name: "c", Type: tc.typ}
		b, err := testCodec().TokenValue(col, tc.v)
		if err != nil {
			t.Errorf("%s %v: %v", tc.typ, tc.v, err)
			continue
		}
		if got, err := testCodec().FromToken(col, b); err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s %v comes back as %T %v, %v", tc.typ, tc.v, got, got, err)
		}
	}
}

func TestTokensOfOtherColumns(t *testing.T) {
	for _, tc := range []struct{ typ, token string }{
		{"INT", ""},
		{"INT", "s1"},
		{"INT", "i"},
		{"INT", "i\x02x"},
		{"INT", "x"},
		{"INT", "nx"},
		{"VARCHAR", "i\x02"},
		{"VARCHAR", "s\xff"},
		{"VARBINARY", "sabc"},
		{"DECIMAL", "s1e5"},
		{"DECIMAL", "s"},
		{"DATETIME", "s2024-01-01"},
		{"DATE", "s2024-01-01 00:00:00"},
		{"TIME", "snoon"},
		{"DOUBLE", "d1234567"},
		{"UNSIGNED BIGINT", "u\x01"},
	} {
		if v, err := testCodec().FromToken(Column{Name: "c", Type: tc.typ}, []byte(tc.token)); err == nil {
			t.Errorf("%s takes the token %q as %v", tc.typ, tc.token, v)
		}
	}
}

func TestKeysetColumn(t *testing.T) {
	for _, typ := range []string{"ENUM", "SET", "JSON", "TEXT", "LONGBLOB", "GEOMETRY", "VECTOR", "NULL", ""} {
		col := Column{Name: "c", Type: typ}
		var r *Refusal
		if err := KeysetColumn(col); !errors.As(err, &r) {
			t.Errorf("%q pages a list: %v", typ, err)
		}
		if _, err := testCodec().TokenValue(col, "x"); !errors.As(err, &r) {
			t.Errorf("%q has a token: %v", typ, err)
		}
	}
}

func TestArgs(t *testing.T) {
	buf := []byte("abc")
	for _, v := range []driver.Value{Arg(buf), ArgOf(Column{Type: "VARCHAR"}, buf), ArgOf(Column{Type: "BLOB"}, buf)} {
		buf[0] = 'x'
		if show(v) != "abc" {
			t.Errorf("%v still lies in the driver's buffer", v)
		}
		buf[0] = 'a'
	}
	for _, tc := range []struct {
		typ     string
		v, want driver.Value
	}{
		{"BLOB", []byte{}, []byte{}},
		{"BIT", []byte{1, 1}, int64(257)},
		{"UNSIGNED BIGINT", []byte("18446744073709551615"), uint64(1<<64 - 1)},
		{"FLOAT", float32(0.5), 0.5},
		{"DECIMAL", []byte("1.50"), "1.50"},
		{"INT", nil, nil},
		{"INT", []byte("x"), []byte("x")},
	} {
		if got := ArgOf(Column{Type: tc.typ}, tc.v); !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s %v is the argument %T %v, want %T %v", tc.typ, tc.v, got, got, tc.want, tc.want)
		}
	}
}

// TestKeysetOnServer pages through neighbours that only an exact comparison tells apart, with and without an index.
func TestKeysetOnServer(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server) {
		for ddl, values := range map[string][]string{
			"DECIMAL(30,10)":                  {"9007199254740993.0000000001", "9007199254740993.0000000002", "9007199254740993.0000000003", "99999999999999999999.9999999999"},
			"DECIMAL(5,2) UNSIGNED":           {"0.00", "999.98", "999.99"},
			"DECIMAL(65,30)":                  {"-12345678901234567890123456789012345.000000000000000000000000000002", "-12345678901234567890123456789012345.000000000000000000000000000001", "0"},
			"BIGINT UNSIGNED":                 {"0", "9223372036854775807", "9223372036854775808", "18446744073709551614", "18446744073709551615"},
			"FLOAT":                           {"-0.1", "0.1", "0.100000009", "0.2"},
			"DOUBLE":                          {"0.1", "0.10000000000000002", "1e300"},
			"VARCHAR(20)":                     {"''", "'10'", "'9'", "'a'", "'b'"},
			"VARCHAR(20) COLLATE utf8mb4_bin": {"'A'", "'B'", "'a'"},
			"VARBINARY(4)":                    {"''", "x'00'", "x'0000'", "x'FF'"},
			"BINARY(2)":                       {"x'0000'", "x'0001'", "x'FF00'"},
			"DATETIME":                        {"'0000-00-00 00:00:00'", "'2020-00-00 00:00:00'", "'2020-01-01 00:00:00'"},
			"DATETIME(6)":                     {"'2020-01-01 00:00:00.000001'", "'2020-01-01 00:00:00.000002'"},
			"TIMESTAMP(6)":                    {"'2020-01-01 00:00:00.000001'", "'2020-01-01 00:00:00.000002'"},
			"DATE":                            {"'0000-00-00'", "'2020-05-00'", "'2020-05-01'"},
			"TIME(3)":                         {"'-100:00:00'", "'-10:00:00.5'", "'-09:00:00'", "'09:00:00'", "'100:00:00'"},
			"BIT(10)":                         {"b'1'", "b'10'", "b'1111111111'"},
			"YEAR":                            {"0", "1901", "2155"},
		} {
			t.Run(ddl, func(t *testing.T) {
				s := *s
				s.t = t
				table := s.table(ddl)
				for _, v := range values {
					s.exec("INSERT INTO " + table + " (c) VALUES (" + v + ")")
				}
				for _, index := range []string{"", "ALTER TABLE " + table + " ADD INDEX (c)"} {
					if index != "" {
						s.exec(index)
					}
					s.pageThrough(table, len(values))
				}
			})
		}
	})
}

// pageThrough reads a table one row a page, both ways, each row found by the one before it.
func (s *server) pageThrough(table string, rows int) {
	s.t.Helper()
	codec := testCodec()
	for _, way := range []struct{ op, order string }{{">", "ASC"}, {"<", "DESC"}} {
		col, v := s.value(true, fmt.Sprintf("SELECT c FROM %s ORDER BY c %s LIMIT 1", table, way.order))
		seen := []string{show(v)}
		for len(seen) <= rows {
			token, err := codec.TokenValue(col, v)
			if err != nil {
				s.t.Fatal(err)
			}
			arg, err := codec.FromToken(col, token)
			if err != nil {
				s.t.Fatal(err)
			}
			next, same, ok := s.after(fmt.Sprintf("SELECT c, (SELECT COUNT(*) FROM %[1]s WHERE c = %[2]s) FROM %[1]s WHERE c %[3]s %[2]s ORDER BY c %[4]s LIMIT 1",
				table, KeysetPlaceholder(col), way.op, way.order), arg)
			if !ok {
				break
			}
			if same != 1 {
				s.t.Errorf("%s: %d rows equal %s", way.order, same, show(v))
			}
			v = next
			seen = append(seen, show(v))
		}
		if distinct := slices.Compact(slices.Clone(seen)); len(seen) != rows || len(distinct) != rows {
			s.t.Errorf("%s: %d rows are paged as %s", way.order, rows, strings.Join(seen, " | "))
		}
	}
}

// after gives the next value, and how many rows equal the one before it. It is not ok where there is no next one.
func (s *server) after(query string, arg driver.Value) (next driver.Value, same int, ok bool) {
	s.t.Helper()
	stmt, err := s.db.PrepareContext(s.t.Context(), query)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	defer stmt.Close()
	var v any
	err = stmt.QueryRowContext(s.t.Context(), arg, arg).Scan(&v, &same)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, false
	}
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return v, same, true
}

// TestListOfDecimals: IN with several string arguments compares a DECIMAL column as doubles; the placeholder makes it exact.
func TestListOfDecimals(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server) {
		table := s.table("DECIMAL(30,10)")
		s.exec("INSERT INTO " + table + " (c) VALUES (9007199254740993.0000000001), (9007199254740993.0000000002)")
		col, v := s.value(true, "SELECT MAX(c) AS c FROM "+table)
		place := KeysetPlaceholder(col)
		stmt, err := s.db.PrepareContext(t.Context(), fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE c IN (%s, %s)", table, place, place))
		if err != nil {
			t.Fatal(err)
		}
		defer stmt.Close()
		var n int
		if err := stmt.QueryRowContext(t.Context(), ArgOf(col, v), "1").Scan(&n); err != nil || n != 1 {
			t.Fatalf("%d rows are found, %v", n, err)
		}
	})
}

// TestKeysetUsesIndex looks at the plan: a CAST around the argument leaves the range scan in place.
func TestKeysetUsesIndex(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server) {
		for ddl, arg := range map[string]any{"DECIMAL(15,4)": "990", "FLOAT": 990.0, "BIGINT UNSIGNED": uint64(990), "DATETIME": "2024-01-01 23:00:00", "TIME": "00:16:30"} {
			table := s.table(ddl)
			s.exec("ALTER TABLE " + table + " ADD INDEX by_c (c)")
			for first := 0; first < 1000; first += 100 {
				rows := make([]string, 100)
				for i := range rows {
					rows[i] = fmt.Sprintf("(%s)", literalFor(ddl, first+i))
				}
				s.exec("INSERT INTO " + table + " (c) VALUES " + strings.Join(rows, ","))
			}
			s.exec("ANALYZE TABLE " + table)
			col, _ := s.value(true, "SELECT c FROM "+table+" LIMIT 1")
			plan := s.plan("EXPLAIN FORMAT=TRADITIONAL SELECT c FROM "+table+" WHERE c > "+KeysetPlaceholder(col)+" ORDER BY c LIMIT 5", arg)
			if plan["type"] != "range" || plan["key"] != "by_c" {
				t.Errorf("%s: the plan is %v", ddl, plan)
			}
		}
	})
}

func literalFor(ddl string, n int) string {
	switch ddl {
	case "DATETIME":
		return fmt.Sprintf("'2024-01-01 00:00:00' + INTERVAL %d MINUTE", n)
	case "TIME":
		return fmt.Sprintf("SEC_TO_TIME(%d)", n)
	}
	return fmt.Sprint(n)
}

// plan gives the first row of an EXPLAIN by column.
func (s *server) plan(query string, arg any) map[string]string {
	s.t.Helper()
	rows, err := s.db.QueryContext(s.t.Context(), query, arg)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		s.t.Fatalf("%s: no row: %v, %v", query, err, rows.Err())
	}
	cells := make([]any, len(names))
	into := make([]any, len(names))
	for i := range cells {
		into[i] = &cells[i]
	}
	if err := rows.Scan(into...); err != nil {
		s.t.Fatal(err)
	}
	plan := map[string]string{}
	for i, name := range names {
		plan[name] = show(cells[i])
	}
	return plan
}
