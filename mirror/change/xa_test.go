package change_test

import (
	"strings"
	"testing"

	"banyan.dev/banyan/mirror/change"
)

func TestXARecovered(t *testing.T) {
	name, err := change.XARecovered([4]string{"7", "2", "1", "a\x00b"})
	if want := change.XAName(7, []byte("a\x00"), []byte("b")); err != nil || name != want || want != "6100.62.7" {
		t.Errorf("got %s, %v, want %s", name, err, want)
	}
	for _, row := range [][4]string{{"7", "2", "1", "ab"}, {"7", "-1", "3", "ab"}, {"", "1", "1", "ab"}, {"7", "1", "x", "ab"}, {}} {
		if name, err := change.XARecovered(row); err == nil || !strings.Contains(err.Error(), "XA RECOVER") {
			t.Errorf("%q is %q, %v", row, name, err)
		}
	}
}
