package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The parser would take many seconds for a file of brackets; what comes from it instead is one fault.
func TestNestingIsBounded(t *testing.T) {
	for _, unit := range []string{"[", "{", "- ", "a: [", "{a: ", "[\n", "]", "- \"[\"\n- ["} {
		text := strings.Repeat(unit, 30000/len(unit)) + strings.Repeat("[", 30000)
		_, faults := Parse("banyan.yaml", []byte(text), env(nil))
		if got := texts(faults); len(got) != 1 || !strings.Contains(got[0], "nest more than 32 levels deep") {
			t.Errorf("%q…: %.300q", unit, got)
		}
	}
	_, faults := Parse("banyan.yaml", []byte("sql: "+strings.Repeat("[", 33)), env(nil))
	want := []string{"banyan.yaml:1:38: brackets or dashes nest more than 32 levels deep (write lists and mappings as docs/config.md shows them)"}
	if diff := cmp.Diff(want, texts(faults)); diff != "" {
		t.Error(diff)
	}
	harmless := minimal + "paging: {keys: [\"" + strings.Repeat("[{- ", 100) + "\"]} # " + strings.Repeat("[", 100) + "\n"
	if _, faults := Parse("banyan.yaml", []byte(harmless), env(nil)); faults.Err() != nil {
		t.Errorf("brackets in a text and in a comment: %q", texts(faults))
	}
}
