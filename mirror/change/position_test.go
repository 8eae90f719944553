package change

import (
	"errors"
	"fmt"
	"testing"
)

func TestPositionsCompareByNumber(t *testing.T) {
	at := func(file string, offset uint64) Position { return Position{Server: "a", File: file, Offset: offset} }
	for _, test := range []struct {
		p, q Position
		want int
	}{
		{at("binlog.000009", 500), at("binlog.000010", 4), -1},
		{at("binlog.999999", 4), at("binlog.1000000", 4), -1},
		{at("binlog.000009", 500), at("binlog.000009", 500), 0},
		{at("binlog.000009", 500), at("binlog.000009", 99), 1},
	} {
		if got, err := test.p.Compare(test.q); err != nil || got != test.want {
			t.Errorf("%s and %s compare as %d, %v; want %d", test.p, test.q, got, err, test.want)
		}
	}
	other := at("binlog.000009", 4)
	other.Server = "b"
	if _, err := at("binlog.000009", 4).Compare(other); !errors.Is(err, ErrServers) {
		t.Errorf("positions of two servers: got %v", err)
	}
	for _, bad := range []string{"", "binlog", "binlog.", "binlog.x", "binlog.-1", "binlog.99999999999"} {
		if n, err := FileNumber(bad); err == nil {
			t.Errorf("%q has the number %d", bad, n)
		}
	}
}

func TestStopsFindsWhatStops(t *testing.T) {
	cause := errors.New("purged")
	err := fmt.Errorf("open: %w", &StopError{What: "the log is gone", Fix: "reset", Cause: cause})
	if stop := Stops(err); stop == nil || !errors.Is(err, cause) || stop.Error() != "the log is gone: purged (reset)" {
		t.Errorf("got %v", stop)
	}
	if Stops(cause) != nil {
		t.Error("an error that may pass stops")
	}
}
