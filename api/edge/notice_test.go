package edge_test

import (
	"fmt"
	"testing"
	"time"

	"banyan.dev/banyan/api/edge"
)

func TestNotice(t *testing.T) {
	day := time.Date(2026, 12, 1, 2, 0, 0, 0, time.FixedZone("", 2*3600))
	for _, test := range []struct {
		notice edge.Notice
		want   string
	}{
		{edge.Notice{}, "[]"},
		{edge.Notice{Link: "https://x"}, "[]"},
		{edge.Notice{Deprecated: day}, "[{Deprecation @1796083200}]"},
		{edge.Notice{Sunset: day, Link: "https://x"}, `[{Sunset Tue, 01 Dec 2026 00:00:00 GMT} {Link <https://x>; rel="sunset"; type="text/html"}]`},
		{edge.Notice{Deprecated: day, Sunset: day, Link: "https://x"}, `[{Deprecation @1796083200} {Sunset Tue, 01 Dec 2026 00:00:00 GMT} {Link <https://x>; rel="deprecation sunset"; type="text/html"}]`},
	} {
		if got := fmt.Sprint(test.notice.Fields()); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}
