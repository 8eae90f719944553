package mirror

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

func str(text string) change.Value { return change.Value{Kind: change.String, Text: []byte(text)} }
func num(n int) change.Value       { return change.Value{Kind: change.Int, Num: uint64(n)} }
func big(n int64) change.Value     { return change.Value{Kind: change.BigInt, Num: uint64(n)} }
func null() change.Value           { return change.Value{Kind: change.Null} }
func orders() *change.Table {
	return &change.Table{
		Schema: "shop", Name: "orders", Key: []int{0},
		Columns: []change.Column{{Name: "id", Type: "bigint unsigned"}, {Name: "note", Type: "text"}},
	}
}

func newTestEncoder() *encoder {
	e := &encoder{source: "/mirrors/main", term: "4", epoch: 1}
	e.begin(change.Transaction{ID: "0-1-42", File: 12, Offset: 12345, Committed: time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC)})
	return e
}

func TestEventsOfRows(t *testing.T) {
	e := newTestEncoder()
	m, err := e.row(orders(), change.Update, &change.Row{
		Before: []change.Value{big(7), null()}, After: []change.Value{big(7), str("a \"b\"\n\\ é\x01")},
	}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := &change.Message{
		Key: "row.orders.update", ID: "0-1-42:3", Source: "/mirrors/main", Type: "dev.banyan.row.update.v1",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 678000, time.UTC), Version: "0001-0000000c-000000003039-00000003", Term: "4",
		Body: []byte(`{"op":"update","schema":"shop","table":"orders","key":{"id":"7"},"before":{"id":"7","note":null},` +
			`"after":{"id":"7","note":"a \"b\"\n\\ é\u0001"},"version":"0001-0000000c-000000003039-00000003","origin":"foreign",` +
			`"committed":"2026-01-02T03:04:05.000678Z","transaction":{"id":"0-1-42","row":3}}`),
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
	e.originate(OriginBanyan, "host-1", true)
	m, err = e.row(orders(), change.Delete, &change.Row{Before: []change.Value{big(8), null()}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"op":"delete","schema":"shop","table":"orders","key":{"id":"8"},"before":{"id":"8","note":null},` +
		`"version":"0001-0000000c-000000003039-00000004","origin":"banyan","writer":"host-1","writeback":true,` +
		`"committed":"2026-01-02T03:04:05.000678Z","transaction":{"id":"0-1-42","row":4}}`
	if string(m.Body) != body || m.Key != "row.orders.delete" {
		t.Errorf("got %s\n%s", m.Key, m.Body)
	}
	if _, err := e.row(orders(), change.Insert, &change.Row{After: []change.Value{big(8)}}, 5); err == nil {
		t.Error("half a row was taken")
	}
}

func TestColumnsThatAreLeftOut(t *testing.T) {
	e := newTestEncoder()
	e.plans.omit = func(schema, table, column string) bool {
		return schema == "shop" && table == "users" && column != "name"
	}
	table := &change.Table{Schema: "shop", Name: "users", Key: []int{1}, Columns: []change.Column{{Name: "password"}, {Name: "id"}, {Name: "name"}, {Name: "card"}}}
	m, err := e.row(table, change.Insert, &change.Row{After: []change.Value{str("secret"), num(1), str("ann"), str("4111")}}, 1)
	if err != nil || !strings.Contains(string(m.Body), `"key":{"id":1},"after":{"id":1,"name":"ann"},`) || strings.Contains(string(m.Body), "secret") {
		t.Errorf("%v\n%s", err, m.Body)
	}
}

func TestStatementsThatHaveValues(t *testing.T) {
	e := newTestEncoder()
	opaque := &change.Statement{Op: change.Opaque, Schema: "shop", Table: "users", SQL: "UPDATE users SET password = 'secret'", Row: 1}
	if m := e.statement(opaque); !strings.Contains(string(m.Body), "'secret'") {
		t.Errorf("nothing is to be left out of %s", m.Body)
	}
	e.plans.omit = func(string, string, string) bool { return false }
	if m := e.statement(opaque); strings.Contains(string(m.Body), "secret") || !json.Valid(m.Body) {
		t.Errorf("got %s", m.Body)
	}
}

func TestEventsOfStatements(t *testing.T) {
	e := newTestEncoder()
	m := e.statement(&change.Statement{Op: change.Rename, Schema: "shop", Table: "orders", ToSchema: "shop", ToTable: "old.orders", SQL: "RENAME TABLE …", Row: 1})
	const body = `{"op":"rename","schema":"shop","table":"orders","to":{"schema":"shop","table":"old.orders"},"statement":"RENAME TABLE …",` +
		`"version":"0001-0000000c-000000003039-00000001","origin":"foreign","committed":"2026-01-02T03:04:05.000678Z","transaction":{"id":"0-1-42","row":1}}`
	if string(m.Body) != body || m.Type != "dev.banyan.table.rename.v1" {
		t.Errorf("got %s\n%s", m.Type, m.Body)
	}
	if diff := cmp.Diff([]string{"row.old%2Eorders.rename"}, m.Also); diff != "" {
		t.Error(diff)
	}
}

// Every value is JSON, and no two values of a kind are the same JSON.
func TestValuesAsJSON(t *testing.T) {
	for _, test := range []struct {
		v    change.Value
		want string
	}{
		{change.Value{Kind: change.Null}, `null`},
		{num(-5), `-5`},
		{change.Value{Kind: change.Uint, Num: 4294967295}, `4294967295`},
		{big(math.MinInt64), `"-9223372036854775808"`},
		{change.Value{Kind: change.BigUint, Num: math.MaxUint64}, `"18446744073709551615"`},
		{change.Value{Kind: change.Float, Num: uint64(math.Float32bits(0.1))}, `0.1`},
		{change.Value{Kind: change.Float, Num: uint64(math.Float32bits(math.MaxFloat32))}, `3.4028235e+38`},
		{change.Value{Kind: change.Double, Num: math.Float64bits(math.Copysign(0, -1))}, `-0`},
		{change.Value{Kind: change.Double, Num: math.Float64bits(5e-324)}, `5e-324`},
		{change.Value{Kind: change.Double, Num: math.Float64bits(1e20)}, `100000000000000000000`},
		{change.Value{Kind: change.Double, Num: math.Float64bits(math.Inf(1))}, `"+Inf"`},
		{change.Value{Kind: change.Decimal, Text: []byte("-0.0100")}, `"-0.0100"`},
		{str(""), `""`},
		{str("\x00\t\u2028\U0001F333"), "\"\\u0000\\t\u2028\U0001F333\""},
		{str("a\xffb"), "\"a\ufffdb\""},
		{change.Value{Kind: change.Bytes, Text: []byte{0, 255, 0}}, `"AP8A"`},
		{change.Value{Kind: change.Temporal, Text: []byte("0000-00-00")}, `"0000-00-00"`},
		{change.Value{Kind: change.Instant, Text: []byte("2026-01-02T03:04:05Z")}, `"2026-01-02T03:04:05Z"`},
		{change.Value{Kind: change.JSON, Text: []byte(`{"a":[1,2.50]}`)}, `{"a":[1,2.50]}`},
		{change.Value{Kind: change.JSON, Text: []byte(`null`)}, `{"$json":null}`},
		{change.Value{Kind: change.JSON, Text: []byte(`{"$bytes": "/w=="}`)}, `{"$json":{"$bytes": "/w=="}}`},
		{change.Value{Kind: change.JSON, Text: []byte(`{"$json": 1}`)}, `{"$json":{"$json": 1}}`},
		{change.Value{Kind: change.Garbled, Text: []byte{0xff}}, `{"$bytes":"/w=="}`},
	} {
		got := appendValue(nil, &test.v)
		if string(got) != test.want || !json.Valid(got) {
			t.Errorf("%+v is %s, want %s", test.v, got, test.want)
		}
	}
}

func FuzzStringsAsJSON(f *testing.F) {
	f.Add([]byte("a\"\\\n\x00\x7f é \U0001F333"))
	f.Add([]byte("\xff\xc3"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var back string
		if err := json.Unmarshal(appendString(nil, text), &back); err != nil {
			t.Fatal(err)
		}
		if utf8.Valid(text) && back != string(text) {
			t.Errorf("%q came back as %q", text, back)
		}
	})
}

func TestRoutingKeys(t *testing.T) {
	for table, want := range map[string]string{
		"orders": "row.orders.insert", "a.b": "row.a%2Eb.insert", "a*b #%": "row.a%2Ab%20%23%25.insert", "2naïve": "row.2naïve.insert",
	} {
		if got := RoutingKey(table, change.Insert); got != want {
			t.Errorf("%s is routed by %s, want %s", table, got, want)
		}
	}
}

func TestEventsOfCascades(t *testing.T) {
	relations := []Relation{
		{
			Constraint: "lines_ibfk", Schema: "shop", Table: "lines", Columns: []string{"order_id"}, Parents: []string{"ID"}, OnDelete: "CASCADE", OnUpdate: "CASCADE",
			Next: []Relation{
				{Constraint: "serials_ibfk", Schema: "shop", Table: "serials", Columns: []string{"line_id"}, Parents: []string{"id"}, OnDelete: "SET NULL"},
			},
		},
		{Constraint: "notes_ibfk", Schema: "crm", Table: "notes", Columns: []string{"o"}, Parents: []string{"id"}, OnDelete: "SET NULL"},
		{Constraint: "gone", Schema: "crm", Table: "x", Columns: []string{"o"}, Parents: []string{"dropped"}, OnDelete: "CASCADE"},
	}
	e := newTestEncoder()
	m := e.cascade(orders(), change.Delete, &change.Row{Before: []change.Value{big(7), null()}}, 3, relations)
	const body = `{"op":"cascade","schema":"shop","table":"orders","key":{"id":"7"},"cause":"delete","children":[` +
		`{"constraint":"lines_ibfk","schema":"shop","table":"lines","rule":"CASCADE","match":{"order_id":"7"},"children":[` +
		`{"constraint":"serials_ibfk","schema":"shop","table":"serials","rule":"SET NULL","columns":["line_id"],"references":["id"]}]},` +
		`{"constraint":"notes_ibfk","schema":"crm","table":"notes","rule":"SET NULL","match":{"o":"7"},"set":{"o":null}}],` +
		`"version":"0001-0000000c-000000003039-00000003c","origin":"foreign","committed":"2026-01-02T03:04:05.000678Z","transaction":{"id":"0-1-42","row":3}}`
	if m == nil || string(m.Body) != body || m.ID != "0-1-42:3c" {
		t.Fatalf("got %v\n%s", m, m.Body)
	}
	if diff := cmp.Diff([]string{"row.lines.cascade", "row.notes.cascade", "row.serials.cascade"}, m.Also); diff != "" {
		t.Error(diff)
	}
	m = e.cascade(orders(), change.Update, &change.Row{Before: []change.Value{big(7), null()}, After: []change.Value{big(9), null()}}, 4, relations)
	if m == nil || !json.Valid(m.Body) || !strings.Contains(string(m.Body), `"match":{"order_id":"7"},"set":{"order_id":"9"}`) {
		t.Fatalf("got %v", m)
	}
	if m := e.cascade(orders(), change.Update, &change.Row{Before: []change.Value{big(7), null()}, After: []change.Value{big(7), str("x")}}, 5, relations); m != nil {
		t.Errorf("a change of no key set off %s", m.Body)
	}
}

// Making an event costs the strings that it goes out with, and nothing for each column.
func TestAllocationsOfAnEvent(t *testing.T) {
	e, table := newTestEncoder(), orders()
	row := &change.Row{After: []change.Value{big(7), str("some text")}}
	if n := testing.AllocsPerRun(100, func() { _, _ = e.row(table, change.Insert, row, 3) }); n > 3 {
		t.Errorf("%v allocations", n)
	}
}
