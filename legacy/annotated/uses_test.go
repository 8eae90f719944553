package annotated

import (
	"fmt"
	"strings"
	"testing"
)

// describeUses writes what Uses says: "a S U(x)" is a table that is read, and changed if it has the column x.
func describeUses(all []Use, calls []Called) string {
	var out []string
	for _, u := range all {
		text := u.Name
		if u.Schema != "" {
			text = u.Schema + "." + u.Name
		}
		for _, p := range []struct {
			letter string
			set    bool
		}{{"S", u.Select}, {"I", u.Insert}, {"U", u.Update}, {"D", u.Delete}, {"L", u.Lock}} {
			if p.set {
				text += " " + p.letter
			}
		}
		if len(u.SelectIf) > 0 {
			text += fmt.Sprintf(" S%v", u.SelectIf)
		}
		if len(u.UpdateIf) > 0 {
			text += fmt.Sprintf(" U%v", u.UpdateIf)
		}
		out = append(out, text)
	}
	for _, c := range calls {
		text := c.Name + "()"
		if c.Schema != "" {
			text = c.Schema + "." + text
		}
		if c.Procedure {
			text = "CALL " + text
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// What MariaDB asks for was found by asking one; legacy's tests hold these to it again.
func TestUses(t *testing.T) {
	for _, c := range [][2]string{
		{"SELECT 1", ""},
		{"SELECT x FROM a, s.b q WHERE q.x IN (SELECT y FROM c)", "a S, s.b S, c S"},
		{"SELECT x FROM a FOR UPDATE", "a S L"},
		{"SELECT x FROM a LOCK IN SHARE MODE", "a S"},
		{"SELECT a.x FROM a UNION (SELECT b.x FROM b)", "a S, b S"},
		{"WITH c AS (SELECT x FROM a) SELECT * FROM c JOIN b ON b.x = c.x", "a S, b S"},
		{"INSERT INTO a VALUES (1, 2)", "a I"},
		{"INSERT IGNORE INTO s.a (id) VALUES (:x)", "s.a I"},
		{"INSERT INTO a (id, x) VALUES (1, f(2), s.g(3))", "a I, f(), s.g()"},
		{"INSERT INTO a (id) VALUES (:x) ON DUPLICATE KEY UPDATE x = 3", "a S I U"},
		{"INSERT INTO a (id) VALUES (:x) RETURNING id", "a S I"},
		{"INSERT INTO a SELECT id, x FROM b", "a I, b S"},
		{"INSERT INTO a SELECT a.id + 1, x FROM a", "a S I"},
		{"REPLACE INTO a SET id = :x", "a I D"},
		{"UPDATE a SET x = :x", "a U"},
		{"UPDATE a SET x = DEFAULT, y = NULL, z = NOW(), `key` = 'v' LIMIT 1", "a U, NOW()"},
		{"UPDATE a SET x = x + 1", "a U S[x]"},
		{"UPDATE a q SET x = q.y, y = b.z", "a S U"},
		{"UPDATE a SET x = (SELECT MAX(b.z) FROM b)", "a U, b S, MAX()"},
		{"UPDATE a SET x = :x WHERE id = :y", "a S U"},
		{"UPDATE a SET x = :x ORDER BY y LIMIT 1", "a S U"},
		{"UPDATE a JOIN b USING (id) SET a.y = 1", "a S U, b S"},
		{"UPDATE a JOIN b ON a.id = b.id SET y = z", "a S U[y], b S U[y]"},
		{"UPDATE a q, s.b SET q.x = 1, s.b.z = 2", "a S U, s.b S U"},
		{"UPDATE a q, (SELECT id FROM b) r SET q.x = 1 WHERE q.id = r.id", "a S U, b S"},
		{"UPDATE a q, (SELECT id FROM b) r SET x = 1 WHERE q.id = r.id", "a S U, b S"},
		{"DELETE FROM a", "a D"},
		{"DELETE FROM a LIMIT 1", "a D"},
		{"DELETE QUICK FROM a WHERE id = :x", "a S D"},
		{"DELETE FROM a ORDER BY y LIMIT 1", "a S D"},
		{"DELETE FROM a RETURNING id", "a S D"},
		{"DELETE a FROM a JOIN b USING (id)", "a S D, b S"},
		{"DELETE a.*, s.b FROM a JOIN s.b ON a.id = b.id", "a S D, s.b S D"},
		{"DELETE FROM q USING a AS q JOIN b ON q.id = b.id", "a S D, b S"},
		{"SELECT NEXT VALUE FOR sq, PREVIOUS VALUE FOR s.other", "sq S I, s.other S"},
		{"SELECT NEXTVAL(sq), LASTVAL(`s`.other)", "sq S I, s.other S, NEXTVAL(), LASTVAL()"},
		{"CALL p(:x, s.f(1))", "CALL p(), s.f()"},
		{"CALL s.p()", "CALL s.p()"},
	} {
		all, calls, err := Uses(pieces(t, c[0]))
		if err != nil {
			t.Errorf("%s: %v", c[0], err)
			continue
		}
		if got := describeUses(all, calls); got != c[1] {
			t.Errorf("%s\ngot  %s\nwant %s", c[0], got, c[1])
		}
	}
	if _, _, err := Uses([]Piece{{Text: "SELECT (1"}}); err == nil {
		t.Error("no fault in an open parenthesis")
	}
}

func FuzzUses(f *testing.F) {
	for _, c := range outlines() {
		f.Add(c[0])
	}
	f.Fuzz(func(t *testing.T, sql string) {
		list := []Piece{{Text: sql}}
		all, calls, err := Uses(list)
		if err != nil {
			return
		}
		outline, err := Outline(list)
		if err != nil {
			return
		}
		for _, table := range outline.Tables {
			found := false
			for _, u := range all {
				found = found || u.Schema == table.Schema && u.Name == table.Name
			}
			if !found {
				t.Errorf("%q does nothing with %s.%s", sql, table.Schema, table.Name)
			}
		}
		for _, u := range all {
			if !u.Select && !u.Insert && !u.Update && !u.Delete && len(u.UpdateIf) == 0 {
				t.Errorf("%q uses %+v for nothing", sql, u)
			}
		}
		for _, c := range calls {
			if c.Name == "" {
				t.Errorf("%q calls %+v", sql, c)
			}
		}
	})
}
