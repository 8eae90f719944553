package value

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

var update = flag.Bool("update", false, "write the tables of refusals in docs/conversions.md anew")

// docFields has a field of each shape by the name that the documentation has for it.
var docFields = []struct{ title, field string }{
	{"bool", "b"},
	{"int32, int64, uint32, uint64 and the other integers", "i32"},
	{"float", "flt"},
	{"double", "dbl"},
	{"string", "str"},
	{"bytes", "byt"},
	{"an enum", "status"},
	{"google.protobuf.Timestamp", "ts"},
	{"google.protobuf.Duration", "dur"},
	{"google.type.Date", "date"},
	{"google.type.TimeOfDay", "tod"},
	{"google.type.Money", "money"},
	{"google.type.Decimal", "decimal"},
	{"google.protobuf.FieldMask", "mask"},
	{"Struct, Value, ListValue and any other message", "line"},
	{"repeated string", "rstr"},
	{"any other repeated field, and maps", "rline"},
}

// TestDocumentedRefusals holds docs/conversions.md to what the code refuses, and to the words that it says.
func TestDocumentedRefusals(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "conversions.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	for name, table := range map[string]string{"reads": refusedReads(t), "writes": refusedWrites(t)} {
		opening, closing := "<!-- refused "+name+" -->\n", "<!-- end -->"
		before, rest, ok := strings.Cut(text, opening)
		_, after, ended := strings.Cut(rest, closing)
		if !ok || !ended {
			t.Fatalf("%s has no place for the refused %s", path, name)
		}
		want := before + opening + table + closing + after
		if text != want && !*update {
			t.Errorf("%s does not say what the code refuses in %s: run go test ./legacy/value -run Documented -update", path, name)
		}
		text = want
	}
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func refusedReads(t *testing.T) string {
	t.Helper()
	return refusedTable(t, "Column", func(typ string, fd protoreflect.FieldDescriptor) error {
		_, err := testCodec().Encoder(Column{Name: "col", Type: typ}, fd)
		return err
	})
}

func refusedWrites(t *testing.T) string {
	t.Helper()
	return refusedTable(t, "Into column", func(typ string, fd protoreflect.FieldDescriptor) error {
		_, err := testCodec().Binder(fd, "", &Column{Name: "col", Type: typ})
		return err
	})
}

// refusedTable has a row for each field and advice, with the column types that it is for.
func refusedTable(t *testing.T, heading string, try func(typ string, fd protoreflect.FieldDescriptor) error) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "| Field | %s | Write instead |\n|---|---|---|\n", heading)
	for _, f := range docFields {
		fd := fieldNamed(t, f.field)
		named := regexp.MustCompile(`(:json\(|:name\(|[:"])` + f.field + `\b`)
		var advice []string
		types := map[string][]string{}
		for _, typ := range everyType {
			var r *Refusal
			err := try(typ, fd)
			switch {
			case err == nil:
				continue
			case !errors.As(err, &r):
				t.Fatalf("%s and %s: %v is no refusal", typ, f.title, err)
			}
			instead := named.ReplaceAllString(r.Instead, "${1}field")
			if types[instead] == nil {
				advice = append(advice, instead)
			}
			types[instead] = append(types[instead], strings.TrimPrefix(typ, "UNSIGNED "))
		}
		for _, instead := range advice {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", f.title, strings.Join(dropRepeats(types[instead]), ", "), instead)
		}
	}
	return b.String()
}

// dropRepeats leaves out BIGINT beside INT: everyType has both for their Go types.
func dropRepeats(types []string) []string {
	out := types[:0:0]
	for _, typ := range types {
		if typ == "BIGINT" {
			continue
		}
		out = append(out, map[string]string{"INT": "integers", "VARBINARY": "BINARY, BLOB", "VARCHAR": "text"}[typ])
		if out[len(out)-1] == "" {
			out[len(out)-1] = typ
		}
	}
	return out
}
