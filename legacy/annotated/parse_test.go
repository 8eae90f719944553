package annotated

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
)

// read parses text that must be faultless.
func read(t *testing.T, src string) *File {
	t.Helper()
	f, faults := Parse("test.sql", []byte(src))
	for _, fault := range faults.All() {
		t.Errorf("unexpected fault: %s", fault)
	}
	return f
}

// render writes the lines of a statement as they would go to the server, parameters as written.
func render(s *Statement) string {
	lines := make([]string, len(s.Lines))
	for i, l := range s.Lines {
		for _, p := range l.Pieces {
			if p.Param != nil {
				lines[i] += p.Param.String()
			} else {
				lines[i] += p.Text
			}
		}
	}
	return strings.Join(lines, "\n")
}

func TestParseShop(t *testing.T) {
	src, err := os.ReadFile("testdata/shop.sql")
	if err != nil {
		t.Fatal(err)
	}
	f := read(t, string(src))
	if len(f.Blocks) != 4 || len(f.Enums) != 1 {
		t.Fatalf("%d blocks and %d enums, want 4 and 1", len(f.Blocks), len(f.Enums))
	}
	if got := fmt.Sprint(f.Enums[0].Codes); got != `[{test.sql:5:30 PENDING 1 false} {test.sql:5:40 PROCESSING -2 false} {test.sql:5:54 SHIPPED S true} {test.sql:5:66 ODD it's; here true}]` {
		t.Errorf("codes %s", got)
	}
	orders := f.Blocks[0].Statements[0]
	if orders.Name != "orders" || orders.Kind != Many || orders.Into.Path() != "orders" || orders.Into.Discard {
		t.Errorf("orders is %+v", orders)
	}
	var lines []string
	for _, l := range orders.Lines {
		var params []string
		for _, p := range l.Pieces {
			if p.Param != nil {
				params = append(params, p.Param.String())
			}
		}
		lines = append(lines, fmt.Sprintf("%d:%d %d %q %v", l.Pos.Line, l.Pos.Col, l.Condition, l.If, params))
	}
	want := []string{
		`9:1 0 "" []`, `10:8 0 "" []`, `11:3 0 "" []`, `12:2 0 "" [:page]`, `13:4 2 "" [:customer_id]`,
		`14:4 2 "" [:created_after]`, `15:4 2 "" [:prefix(name)]`, `16:4 0 "" []`,
		`19:2 1 "order_by == \"\"" []`, `20:2 1 "order_by == \"create_time desc\"" []`,
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("lines\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if at := orders.Lines[8].IfPos; at.Line != 19 || at.Col != 58 {
		t.Errorf("the CEL stands at %s", at)
	}
	if at := orders.Lines[6].Pieces[1].Param.Pos; at.Line != 15 || at.Col != 30 {
		t.Errorf("the parameter stands at %s", at)
	}
	match := f.Blocks[0].Statements[1].Into.Steps[0].Match
	if len(match) != 1 || match[0] != (Match{"id", "orders_id"}) {
		t.Errorf("match %v", match)
	}
	place := f.Blocks[1].Statements
	e := place[1].Expect
	if e.Op != ">=" || e.N != 1 || e.Code != codes.FailedPrecondition || e.Reason != "OUT_OF_STOCK" ||
		e.Message[0].Param.String() != ":line.sku" || e.Message[1].Text != `: {too} "few" left` {
		t.Errorf("expect %+v", e)
	}
	if each := place[1].Each; strings.Join(each.Path, ".") != "order.lines" || each.As != "line" {
		t.Errorf("each %+v", each)
	}
	if got := render(place[2]); got != "INSERT INTO notes (text) VALUES ('two\n-- lines: here\n;')" {
		t.Errorf("a string over lines became %q", got)
	}
	call := place[3].Call
	if call.RPC != "GetOrder" || len(call.Args) != 2 || call.Args[0].Param.String() != ":next.last_insert_id" ||
		strings.Join(call.Args[1].Field, ".") != "view.full" {
		t.Errorf("call %+v", call)
	}
	if out := f.Blocks[2].Statements[1]; out.Kind != Reply || len(out.Fields) != 1 || out.Fields[0].Param.String() != ":next.last_insert_id" {
		t.Errorf("reply %+v", out)
	}
	if put := f.Blocks[3]; put.Kind != Put || !put.Statements[0].Into.Discard {
		t.Errorf("put %+v", put)
	}
}

func TestParseInto(t *testing.T) {
	for in, want := range map[string]string{
		"a":                       "a[]",
		"a.b":                     "a[] b[]",
		"a[id=x].b":               "a[{id x}] b[]",
		"a[id=x,no=y.z].b":        "a[{id x} {no y.z}] b[]",
		"a.b[id=x].c.d":           "a[] b[{id x}] c[] d[]",
		"orders.lines[lid=l].opt": "orders[] lines[{lid l}] opt[]",
	} {
		f := read(t, "-- rpc: s.S.A\n-- name: a :many into="+in+"\nSELECT 1;")
		var got []string
		for _, s := range f.Blocks[0].Statements[0].Into.Steps {
			got = append(got, s.Field+fmt.Sprint(s.Match))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("into=%s is %v, want %s", in, got, want)
		}
	}
}

func TestParseLineEndings(t *testing.T) {
	const src = "\ufeff-- rpc: s.S.A\n-- name: a :many\n\n\tSELECT 1, -- one\n /* two */ :x\n\tFROM t WHERE a = :y -- ?\n # prose\n;\n"
	unix := read(t, src)
	dos := read(t, strings.ReplaceAll(src, "\n", "\r\n"))
	bare := read(t, strings.TrimSuffix(src, "\n"))
	const want = "SELECT 1,\n:x\nFROM t WHERE a = :y"
	for name, f := range map[string]*File{"LF": unix, "CRLF": dos, "no line break at the end": bare} {
		s := f.Blocks[0].Statements[0]
		if got := render(s); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		if p := s.Lines[2].Pieces[1].Param.Pos; p.Line != 6 || p.Col != 19 {
			t.Errorf("%s: the parameter stands at %s", name, p)
		}
	}
	if unix.Blocks[0].Pos.Col != 1 {
		t.Error("the byte order mark is counted as a column")
	}
}

// strip removes comments and empty lines from SQL in its own way, to hold the parser against.
func strip(sql string) string {
	var lines []string
	var line strings.Builder
	var quote byte
	end := func() {
		if text := strings.Trim(line.String(), " \t\r\v\f"); text != "" {
			lines = append(lines, text)
		}
		line.Reset()
	}
	for i := 0; i < len(sql); i++ {
		c, rest := sql[i], sql[i:]
		switch {
		case quote != 0:
			line.WriteByte(c)
			if c == '\\' && quote != '`' && i+1 < len(sql) {
				i++
				line.WriteByte(sql[i])
			} else if c == quote {
				quote = 0 // a doubled quote opens it again at once
			}
		case c == '\'' || c == '"' || c == '`':
			quote = c
			line.WriteByte(c)
		case c == '\n':
			end()
		case c == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || rest[2] <= ' '):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			i += n - 1
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/") + 4
			if n < 4 {
				return "" // open: faulty
			}
			if strings.HasPrefix(rest, "/*+") {
				line.WriteString(rest[:n])
			} else {
				line.WriteByte(' ')
			}
			i += n - 1
		default:
			line.WriteByte(c)
		}
	}
	end()
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// wrap puts SQL into a file of its own; it gives the statement when the file is faultless.
func wrap(sql string) (*Statement, bool) {
	f, faults := Parse("test.sql", []byte("-- rpc: s.S.A\n-- name: a :many\n"+sql+"\n;"))
	if faults.Failed() || len(f.Blocks) != 1 || len(f.Blocks[0].Statements) != 1 {
		return nil, false
	}
	s := f.Blocks[0].Statements[0]
	for _, l := range s.Lines {
		for _, p := range l.Pieces {
			if p.Param != nil && p.Param.Func != "" {
				return nil, false // blanks in it are not kept
			}
		}
	}
	return s, true
}

func seedSQL() []string {
	return []string{
		"SELECT 1",
		"SELECT a, -- c\n b /* d\n e */ f # g\n FROM t",
		"SELECT /*+ HINT(:x) */ '-- ''no'' \\' :y /*', \"#\", `--` , :z.a FROM t",
		"SELECT 1 - -1, 2 - -2, a:b, @x:=1, x'41', 1e-3, .5, 0x1F, 2fa",
		"UPDATE t SET a = a\n  , b = :b -- ?\n  , c = :c -- if: x == 'it''s -- ?'\n WHERE id = :id",
		"SELECT 'two\nlines' -- c\n\n\n, 1",
		"\n-- prose\nSELECT 1\n-- prose\n",
		"SELECT '\r\n' \r\n FROM t",
	}
}

func TestRenderKeepsSQL(t *testing.T) {
	for _, sql := range seedSQL() {
		s, ok := wrap(sql)
		if !ok {
			t.Errorf("%q is faulty", sql)
			continue
		}
		if got, want := strings.TrimSpace(render(s)), strip(sql); got != want {
			t.Errorf("%q became\n%q, want\n%q", sql, got, want)
		}
	}
}

func FuzzRender(f *testing.F) {
	for _, sql := range seedSQL() {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		s, ok := wrap(sql)
		if !ok || strings.Contains(sql, ";") || strings.Contains(sql, "\r") {
			return
		}
		if got, want := strings.TrimSpace(render(s)), strip(sql); got != want {
			t.Errorf("%q became\n%q, want\n%q", sql, got, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"shop", "blocks", "directives", "names", "calls", "expects", "lines", "endings", "bytes", "utf16"} {
		src, err := os.ReadFile("testdata/" + file + ".sql")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, faults := Parse("fuzz.sql", src)
		lines := strings.Count(string(src), "\n") + 1
		for _, fault := range faults.All() {
			if fault.Line < 1 || fault.Line > lines || fault.Col < 1 || fault.Col > len(src)+1 || fault.Fix == "" {
				t.Errorf("a fault without place or advice: %+v", fault)
			}
		}
		if faults.Failed() {
			return
		}
		for _, b := range file.Blocks {
			for _, s := range b.Statements {
				if (len(s.Lines) > 0) != s.Kind.hasSQL() || (s.Call != nil) != (s.Kind == CallRPC) {
					t.Errorf("a faultless %s has %d lines", s.Kind, len(s.Lines))
				}
				if _, err := tokenize(join(s)); s.Kind.hasSQL() && err != nil && !errors.Is(err, errParens) && !errors.Is(err, errEmpty) {
					t.Errorf("a faultless statement can't be read: %v\n%s", err, render(s))
				}
			}
		}
	})
}

// join gives all lines of a statement as pieces.
func join(s *Statement) []Piece {
	var out []Piece
	for i, l := range s.Lines {
		if i > 0 {
			out = append(out, Piece{Text: "\n"})
		}
		out = append(out, l.Pieces...)
	}
	return out
}
