package value

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // The driver whose values are carried.
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/devstack"
)

// testCodec has a zone that servers know without time zone tables, and codes for two enums.
func testCodec() *Codec {
	return &Codec{
		Zone: time.FixedZone("+02:00", 2*3600),
		Enums: map[protoreflect.FullName]*Enum{
			"test.v1.Coded": {
				ToCode:  map[protoreflect.EnumNumber]driver.Value{1: int64(10), 2: int64(20)},
				FromInt: map[int64]protoreflect.EnumNumber{10: 1, 20: 2},
			},
			"test.v1.Lettered": {
				ToCode:   map[protoreflect.EnumNumber]driver.Value{1: "A", 2: "B"},
				FromText: map[string]protoreflect.EnumNumber{"A": 1, "B": 2},
			},
		},
	}
}

// server is one connection to a database, with the settings that Banyan's sessions have.
type server struct {
	t    *testing.T
	name string
	db   *sql.DB
	made map[string]string // table by column type
}

func eachServer(t *testing.T, run func(t *testing.T, s *server)) {
	for _, d := range devstack.Databases(t) {
		t.Run(d.Name, func(t *testing.T) {
			db, err := sql.Open("mysql", d.NewSchema(t)+"?time_zone=%27%2B02%3A00%27&sql_mode=%27STRICT_ALL_TABLES%27&charset=utf8mb4")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			db.SetMaxOpenConns(1)
			run(t, &server{t: t, name: d.Name, db: db, made: map[string]string{}})
		})
	}
}

func (s *server) exec(query string, args ...any) {
	s.t.Helper()
	if _, err := s.db.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// table makes a table with one nullable column c of the type, once.
func (s *server) table(typ string) string {
	s.t.Helper()
	name, ok := s.made[typ]
	if !ok {
		name = "t" + strconv.Itoa(len(s.made))
		s.made[typ] = name
		s.exec(fmt.Sprintf("CREATE TABLE %s (id INT AUTO_INCREMENT PRIMARY KEY, c %s NULL)", name, typ))
	}
	return name
}

// value gives the one value that a query has, by the binary protocol or by the text protocol.
func (s *server) value(binary bool, query string) (Column, driver.Value) {
	s.t.Helper()
	var rows *sql.Rows
	var err error
	if binary {
		stmt, prepareErr := s.db.PrepareContext(s.t.Context(), query)
		if prepareErr != nil {
			s.t.Fatalf("%s: %v", query, prepareErr)
		}
		defer stmt.Close()
		rows, err = stmt.QueryContext(s.t.Context())
	} else {
		rows, err = s.db.QueryContext(s.t.Context(), query)
	}
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil || !rows.Next() {
		s.t.Fatalf("%s: no row: %v, %v", query, err, rows.Err())
	}
	var v any
	if err := rows.Scan(&v); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return resultColumn(types[0]), v
}

func resultColumn(ct *sql.ColumnType) Column {
	col := Column{Name: ct.Name(), Type: ct.DatabaseTypeName(), Nullable: true}
	col.Precision, col.Scale, col.Known = ct.DecimalSize()
	return col
}

var (
	lengthOf  = regexp.MustCompile(`^(?:CHAR|VARCHAR|BINARY|VARBINARY|BIT)\((\d+)\)`)
	numbersOf = regexp.MustCompile(`^(?:DECIMAL|DATETIME|TIMESTAMP|TIME|FLOAT|DOUBLE)\((\d+)(?:,(\d+))?\)`)
	memberOf  = regexp.MustCompile(`'([^']*)'`)
)

// tableColumn gives what a schema tells of a column declared with the type.
func tableColumn(ddl string) *Column {
	base := ddl[:strings.IndexAny(ddl+"(", "( ")]
	col := &Column{Name: "c", Type: base, Nullable: true}
	if strings.Contains(ddl, "UNSIGNED") && base != "DECIMAL" {
		col.Type = "UNSIGNED " + base
	}
	if m := lengthOf.FindStringSubmatch(ddl); m != nil {
		col.Length, _ = strconv.ParseInt(m[1], 10, 64)
	}
	switch base {
	case "DATETIME", "TIMESTAMP", "TIME":
		col.Known = true
	}
	if m := numbersOf.FindStringSubmatch(ddl); m != nil {
		col.Known = true
		col.Precision, _ = strconv.ParseInt(m[1], 10, 64)
		col.Scale, _ = strconv.ParseInt(m[2], 10, 64)
		if m[2] == "" && base != "DECIMAL" {
			col.Scale = col.Precision
		}
	}
	if base == "ENUM" || base == "SET" {
		for _, m := range memberOf.FindAllStringSubmatch(ddl, -1) {
			col.Members = append(col.Members, m[1])
		}
	}
	return col
}

// wantMessage reads the JSON of a test.v1.All.
func wantMessage(t *testing.T, text string) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(message(t, "All"))
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("the test's own JSON %s: %v", text, err)
	}
	return m
}

// TestReadAndWriteBack takes each value from a column into a field, and from there back into such a column.
func TestReadAndWriteBack(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server) {
		for _, tc := range readCases {
			if tc.only != "" && tc.only != s.name {
				continue
			}
			t.Run(tc.ddl+" "+tc.literal+" "+tc.field, func(t *testing.T) {
				s := *s
				s.t = t
				table := s.table(tc.ddl)
				s.exec("DELETE FROM " + table)
				s.exec("INSERT INTO " + table + " (c) VALUES (" + tc.literal + ")")
				for _, binary := range []bool{true, false} {
					col, v := s.value(binary, "SELECT c FROM "+table)
					got := tc.read(t, col, v)
					if got == nil || !binary {
						continue
					}
					tc.writeBack(t, &s, table, got, v)
				}
			})
		}
	})
}

func (tc *readCase) read(t *testing.T, col Column, v driver.Value) *dynamicpb.Message {
	t.Helper()
	enc, err := testCodec().Encoder(col, fieldNamed(t, tc.field))
	if want, refused := strings.CutPrefix(tc.want, "refused: "); refused {
		var r *Refusal
		if !errors.As(err, &r) || !strings.Contains(err.Error(), want) {
			t.Fatalf("the encoder gives %v, want a refusal with %q", err, want)
		}
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	none, err := enc([]byte("x"), nil)
	if err != nil || string(none) != "x" {
		t.Fatalf("NULL appends %x, %v", none[1:], err)
	}
	wire, err := enc([]byte("x"), v)
	if want, fails := strings.CutPrefix(tc.want, "error: "); fails {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%T %s gives %x, %v, want an error with %q", v, show(v), wire, err, want)
		}
		if string(wire) != "x" {
			t.Fatalf("a value that is refused leaves %x behind", wire[1:])
		}
		return nil
	}
	if err != nil {
		t.Fatalf("%T %s: %v", v, show(v), err)
	}
	got, want := decode(t, wire[1:]), wantMessage(t, tc.want)
	if !proto.Equal(got, want) {
		t.Fatalf("%T %s gives %v, want %v", v, show(v), got, want)
	}
	return got
}

func (tc *readCase) writeBack(t *testing.T, s *server, table string, m *dynamicpb.Message, was driver.Value) {
	t.Helper()
	if tc.back == "-" {
		return
	}
	fd := fieldNamed(t, tc.field)
	bind, err := testCodec().Binder(fd, "", tableColumn(tc.ddl))
	if tc.back != "" {
		if err == nil || !strings.Contains(err.Error(), tc.back) {
			t.Fatalf("the binder gives %v, want a refusal with %q", err, tc.back)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var v protoreflect.Value
	if !fd.HasPresence() || m.Has(fd) {
		v = m.Get(fd)
	}
	arg, err := bind(v)
	if err != nil {
		t.Fatalf("write %v back: %v", m, err)
	}
	s.exec("DELETE FROM " + table)
	s.exec("INSERT INTO "+table+" (c) VALUES (?)", arg)
	_, is := s.value(true, "SELECT c FROM "+table)
	if base, _, _ := strings.Cut(tc.ddl, " "); base == "JSON" {
		is, was = compactJSON(t, is), compactJSON(t, was) // MariaDB keeps JSON's spaces, MySQL sets its own
	}
	if !reflect.DeepEqual(is, was) {
		t.Fatalf("%v was bound as %T %v and came back as %T %s, was %s", m, arg, arg, is, show(is), show(was))
	}
}

func compactJSON(t *testing.T, v driver.Value) driver.Value {
	t.Helper()
	s, _ := textOf(v)
	var out bytes.Buffer
	if err := json.Compact(&out, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
