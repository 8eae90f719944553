package demo

import (
	"bytes"
	"fmt"
	"net"
	"testing"
)

// A port that is taken is replaced by another, and that is told; one that is free is kept in silence.
func TestTakenPortIsReplacedAndTold(t *testing.T) {
	var taken, free int
	for i, port := range []*int{&taken, &free} {
		l, err := listen(0)
		if err != nil {
			t.Fatal(err)
		}
		*port = l.Addr().(*net.TCPAddr).Port
		if i == 0 {
			defer l.Close()
		} else if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wanted := []listener{{"REST", taken}, {"gRPC", free}}
	var out bytes.Buffer
	got, err := choosePorts(wanted, false, &out)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] == taken || got[1] != free {
		t.Errorf("chose %v for %v", got, wanted)
	}
	if want := fmt.Sprintf("%d is taken, so REST is on %d.\n", taken, got[0]); out.String() != want {
		t.Errorf("told %q, want %q", &out, want)
	}

	out.Reset()
	if got, err = choosePorts(wanted, true, &out); err != nil || len(got) != 2 || got[0] == got[1] || out.Len() > 0 {
		t.Errorf("any free ports are %v, %v, told as %q", got, err, &out)
	}
}
