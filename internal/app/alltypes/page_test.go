package alltypes

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

// page has a part between two marks that is written from the table.
const (
	pageOpening = "<!-- types -->\n"
	pageClosing = "<!-- end -->"
)

// TestPage holds docs/types.md to the table. With UPDATE=1 it writes it anew.
func TestPage(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "types.md")
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, opened := strings.Cut(string(old), pageOpening)
	_, after, closed := strings.Cut(rest, pageClosing)
	if !opened || !closed {
		t.Fatalf("%s has no place for the types", path)
	}
	text := before + pageOpening + generated(t) + pageClosing + after
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != string(old) {
		t.Errorf("%s is not what the table says: run UPDATE=1 go test ./internal/app/alltypes -run TestPage", path)
	}
}

func generated(t *testing.T) string {
	t.Helper()
	zone, err := time.LoadLocation(zoneName)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, g := range groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| Type | In an event | In a field of a contract | |\n|---|---|---|---|\n", g.title)
		for i := range g.columns {
			c := &g.columns[i]
			var fields []string
			for _, f := range c.fields {
				fields = append(fields, f.name)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", typeName(c), c.event, strings.Join(fields, ", "), c.about)
		}
		b.WriteString(fieldNotes(g.columns))
		b.WriteString("\n| Type | Stored | In an event | In a field | |\n|---|---|---|---|---|\n")
		plain := map[string]bool{}
		for i := range g.columns {
			c := &g.columns[i]
			name := typeName(c)
			for k := range c.cells {
				v := &c.cells[k]
				if c.event == aText && plain[v.sql] {
					continue // what is plain text is so in each charset
				}
				plain[v.sql] = true
				b.WriteString("| " + name + cellLine(t, &scene{column: c, zone: zone}, v))
				name = ""
			}
		}
		if refusals := givenLines(g.columns); refusals != "" {
			b.WriteString("\nRefused from callers:\n\n| Type | Field | Value | Because |\n|---|---|---|---|\n" + refusals)
		}
	}
	return b.String() + "\n"
}

// serverNames are as people write them.
var serverNames = map[string]string{"mariadb": "MariaDB", "mysql": "MySQL"}

func typeName(c *column) string {
	name := c.ddl
	if first, rest, ok := strings.Cut(name, ",'m2',"); ok {
		name = first + ",…" + rest[strings.LastIndexByte(rest, ','):]
	}
	if c.on != "" {
		return code(name) + " (" + serverNames[c.on] + ")"
	}
	return code(name)
}

func cellLine(t *testing.T, in *scene, v *cell) string {
	t.Helper()
	event, err := parse(v.event)
	if err != nil {
		t.Fatal(err)
	}
	var fields, remarks []string
	for _, f := range in.column.fields {
		reason, unread := v.unread[f.name]
		switch {
		case unread && reason == "":
			remarks = append(remarks, f.name+" is unset")
			continue
		case unread:
			remarks = append(remarks, f.name+" is refused: “"+reason+"”")
			continue
		}
		shown := v.altered[f.name].read
		if shown == "" {
			want, err := f.want(in, event)
			if err != nil {
				t.Fatalf("%s in %s: %v", v.sql, f.name, err)
			}
			shown = show(want)
			if in.column.is("INET6") { // an address has several texts
				shown = strings.ReplaceAll(v.sql, "'", `"`)
			}
		}
		fields = append(fields, f.name+" "+code(shown))
		if changed, known := v.altered[f.name]; known {
			remark := f.name + " is altered"
			if changed.stored != "" {
				remark += ", and " + code(changed.stored) + " when it is written back"
			}
			remarks = append(remarks, remark)
		}
		if reason, refused := v.unwritten[f.name]; refused {
			remarks = append(remarks, f.name+" is not written back: “"+reason+"”")
		}
	}
	if v.about != "" {
		remarks = slices.Insert(remarks, 0, v.about)
	}
	if v.on != "" {
		remarks = append(remarks, serverNames[v.on]+" only")
	}
	stored := code(v.sql)
	if v.utc {
		stored += " in UTC"
	}
	return fmt.Sprintf(" | %s | %s | %s | %s |\n", stored, code(v.event), strings.Join(fields, ", "), strings.Join(remarks, "; "))
}

// fieldNotes says what is lost in a kind of field whatever the value is.
func fieldNotes(all []column) string {
	var b strings.Builder
	var told []*field
	for i := range all {
		for _, f := range all[i].fields {
			notes := slices.DeleteFunc([]string{f.about, f.unput}, func(s string) bool { return s == "" })
			if len(notes) > 0 && !slices.Contains(told, f) {
				told = append(told, f)
				b.WriteString("\n" + f.name + ": " + strings.Join(notes, "; ") + ".\n")
			}
		}
	}
	return b.String()
}

func givenLines(all []column) string {
	var b strings.Builder
	for i := range all {
		name := typeName(&all[i])
		for _, g := range all[i].given {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, g.field.name, code(g.json), g.reason)
			name = ""
		}
	}
	return b.String()
}

// code shows a text as code in a table. What is long is cut, and what can't be seen is written as in Go.
func code(text string) string {
	const most = 70
	var b strings.Builder
	runes := []rune(text)
	cut := len(runes) > most
	if cut {
		runes = append(append(runes[:30:30], '…'), runes[len(runes)-10:]...)
	}
	for _, r := range runes {
		switch {
		case r == '|':
			b.WriteString(`\|`)
		case r == '`':
			b.WriteString("'")
		case unicode.IsControl(r) || r == '\ufeff' || r != ' ' && unicode.IsSpace(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	out := "`" + cmp.Or(b.String(), " ") + "`"
	if cut {
		out += fmt.Sprintf(" (%d characters)", len([]rune(text)))
	}
	return out
}
