package annotated

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// pieces cuts SQL into pieces as Parse does, for one statement without optional lines.
func pieces(t *testing.T, sql string) []Piece {
	t.Helper()
	f, faults := Parse("test.sql", []byte("-- rpc: s.S.A\n-- name: a :many\n"+sql+";"))
	if faults.Failed() {
		t.Fatalf("%s: %v", sql, faults.Err())
	}
	return join(f.Blocks[0].Statements[0])
}

func text(list []Piece) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.Text)
		if p.Param != nil {
			b.WriteString(p.Param.String())
		}
	}
	return b.String()
}

// describe writes an outline as short text, one fact a line.
func describe(list []Piece, o *Outlined) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s", o.Verb, o.Main)
	for word, set := range map[string]bool{"opaque": o.Opaque} {
		if set {
			b.WriteString(" " + word)
		}
	}
	if o.Union {
		b.WriteString(" union")
	}
	if o.Locks {
		b.WriteString(" locks")
	}
	if o.HasLimit {
		b.WriteString(" limit")
	}
	for _, it := range o.Items {
		fmt.Fprintf(&b, "\nitem %s|%s|%s", it.Expr, it.Alias, it.Name())
		if it.Star {
			b.WriteString("|star " + it.Qualifier)
		}
	}
	for _, c := range o.Clauses {
		fmt.Fprintf(&b, "\n%s: %s", c.Kind, text(c.Body.Cut(list)))
	}
	for _, it := range o.OrderBy {
		fmt.Fprintf(&b, "\norder %s %v %s", it.Expr, it.Desc, it.Column)
	}
	for _, t := range o.Tables {
		fmt.Fprintf(&b, "\ntable %s.%s %s", t.Schema, t.Name, t.Alias)
		if t.Written {
			b.WriteString(" written")
		}
	}
	for _, w := range o.Writes {
		fmt.Fprintf(&b, "\nwrite %s %s.%s.%s", w.Param, w.Schema, w.Table, w.Column)
	}
	if o.Tuple != nil {
		fmt.Fprintf(&b, "\ntuple %s", text(o.Tuple.Cut(list)))
	}
	return b.String()
}

func TestOutline(t *testing.T) {
	for _, c := range outlines() {
		list := pieces(t, c[0])
		o, err := Outline(list)
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		if got := describe(list, o); got != c[1] {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c[0], got, c[1])
		}
	}
}

func TestLimitAt(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT a":                                     "SELECT a LIMIT 1",
		"SELECT a FROM t":                              "SELECT a FROM t LIMIT 1",
		"SELECT a FROM t WHERE b = :b":                 "SELECT a FROM t WHERE b = :b LIMIT 1",
		"SELECT a FROM t ORDER BY b FOR UPDATE":        "SELECT a FROM t ORDER BY b LIMIT 1 FOR UPDATE",
		"SELECT a FROM t LOCK IN SHARE MODE":           "SELECT a FROM t LIMIT 1 LOCK IN SHARE MODE",
		"SELECT a FROM t INTO @x":                      "SELECT a FROM t LIMIT 1 INTO @x",
		"SELECT a FROM t ORDER BY b\nFOR UPDATE":       "SELECT a FROM t ORDER BY b LIMIT 1\nFOR UPDATE",
		"WITH c AS (SELECT 1 LIMIT 1) SELECT 2 FROM c": "WITH c AS (SELECT 1 LIMIT 1) SELECT 2 FROM c LIMIT 1",
	} {
		list := pieces(t, sql)
		o, err := Outline(list)
		if err != nil {
			t.Fatal(err)
		}
		all := Range{Offset{}, Offset{Piece: len(list)}}
		got := text(Range{all.From, o.LimitAt}.Cut(list)) + " LIMIT 1" + text(Range{o.LimitAt, all.To}.Cut(list))
		if got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}
}

func TestOutlineRefuses(t *testing.T) {
	for sql, want := range map[string]error{
		"":              errEmpty,
		" /* c */ ":     errEmpty,
		"SELECT 'a":     errOpen,
		"SELECT `a":     errOpen,
		"SELECT /* a":   errOpen,
		"SELECT (1":     errParens,
		"SELECT 1)":     errParens,
		"SELECT 1;":     errSemicolon,
		"SELECT 1--1":   errDashes,
		"SELECT /*!1*/": errVersioned,
	} {
		if _, err := Outline([]Piece{{Text: sql}}); !errors.Is(err, want) {
			t.Errorf("%q gave %v, want %v", sql, err, want)
		}
	}
	for sql, want := range map[string]string{
		"SELECT a FROM t ORDER BY a ORDER BY b": "a second ORDER BY",
		"SELECT a FROM t WHERE a WHERE b":       "a second WHERE",
		"SELECT a FROM t LIMIT 1 LIMIT 2":       "a second LIMIT",
		"UPDATE t SET a = 1 SET b = 2":          "a second SET",
	} {
		if _, err := Outline([]Piece{{Text: sql}}); err == nil || err.Error() != want {
			t.Errorf("%q gave %v, want %v", sql, err, want)
		}
	}
}

func TestIsOrderBy(t *testing.T) {
	for sql, want := range map[string]bool{
		" order  by a":        true,
		"ORDER BY FIELD(a,":   true,
		"/*+ h */ ORDER BY a": true,
		"ORDER":               false,
		"ORDERBY a":           false,
		", ORDER BY a":        false,
		"":                    false,
	} {
		l := Line{Pieces: []Piece{{Text: sql}}}
		if l.IsOrderBy() != want {
			t.Errorf("%q: want %v", sql, want)
		}
	}
	if (&Line{}).IsOrderBy() {
		t.Error("a line without pieces is no ORDER BY")
	}
}

// FuzzOutline takes \x01 in the text as a parameter.
func FuzzOutline(f *testing.F) {
	for _, c := range outlines() {
		f.Add(c[0])
		f.Add(strings.ReplaceAll(c[0], ":x", "\x01"))
	}
	f.Fuzz(func(t *testing.T, sql string) {
		var list []Piece
		for i, part := range strings.Split(sql, "\x01") {
			if i > 0 {
				list = append(list, Piece{Param: &Param{Path: []string{"x"}}})
			}
			list = append(list, Piece{Text: part})
		}
		o, err := Outline(list)
		if err != nil {
			return
		}
		for _, it := range o.Items {
			sameExpr(t, list, it.Range, it.Expr)
		}
		for _, it := range o.OrderBy {
			sameExpr(t, list, it.Range, it.Expr)
		}
		for _, c := range o.Clauses {
			whole := text(c.Range.Cut(list))
			if !strings.HasSuffix(whole, text(c.Body.Cut(list))) {
				t.Errorf("the body of %q is %q", whole, text(c.Body.Cut(list)))
			}
		}
		if o.Tuple != nil {
			tuple := text(o.Tuple.Cut(list))
			if tuple[0] != '(' || tuple[len(tuple)-1] != ')' {
				t.Errorf("the tuple is %q", tuple)
			}
		}
		for _, w := range o.Writes {
			if w.Param == nil || w.Column == "" {
				t.Errorf("a write of nothing: %+v", w)
			}
		}
		if o.Main == VerbSelect && !o.Opaque && !o.HasLimit && o.LimitAt == (Offset{}) {
			t.Error("no place for a LIMIT")
		}
	})
}

// sameExpr holds the normalized expression against what its range cuts out.
func sameExpr(t *testing.T, list []Piece, r Range, want string) {
	t.Helper()
	toks, err := tokenize(r.Cut(list))
	if err != nil {
		t.Fatalf("the range of %q can't be read: %v", want, err)
	}
	if got := toks.normal(0, len(toks)); got != want {
		t.Errorf("the range is %q, the expression %q", got, want)
	}
}
