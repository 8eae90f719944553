package annotated

import (
	"os"
	"strings"
	"testing"
)

// The examples of the manual are files that Banyan takes.
func TestManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(manual), "```sql\n")
	if len(parts) < 10 {
		t.Fatalf("the manual has %d examples", len(parts)-1)
	}
	line := 1
	for i, part := range parts {
		if i > 0 {
			src, _, _ := strings.Cut(part, "```")
			file, faults := Parse("example", []byte(src))
			for _, f := range faults.All() {
				t.Errorf("docs/sql.md:%d: %s", line+f.Line-1, f)
			}
			for _, b := range file.Blocks {
				for _, s := range b.Statements {
					if _, err := Outline(join(s)); s.Kind.hasSQL() && err != nil && !alternatives(s) {
						t.Errorf("docs/sql.md:%d: %v", line+s.Pos.Line-1, err)
					}
				}
			}
		}
		line += strings.Count(part, "\n") + 1
	}
}

// alternatives tells whether a statement offers several orders, so that all its lines together are no statement.
func alternatives(s *Statement) bool {
	n := 0
	for i := range s.Lines {
		if s.Lines[i].IsOrderBy() {
			n++
		}
	}
	return n > 1
}
