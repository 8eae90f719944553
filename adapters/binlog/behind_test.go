package binlog

import (
	"testing"

	"banyan.dev/banyan/mirror/change"
)

func TestBytesBehind(t *testing.T) {
	files := [][]string{{"b.000001", "100"}, {"b.000002", "50"}, {"b.000003", "7"}}
	for _, test := range []struct {
		file   string
		offset uint64
		want   uint64
	}{{"b.000001", 90, 67}, {"b.000003", 4, 3}, {"b.000003", 9, 0}} {
		if got, err := bytesBehind(files, change.Position{File: test.file, Offset: test.offset}); err != nil || got != test.want {
			t.Errorf("behind %s:%d there are %d, %v; want %d", test.file, test.offset, got, err, test.want)
		}
	}
	if n, err := bytesBehind(files, change.Position{File: "b.000000"}); err == nil {
		t.Errorf("behind a log that is gone there are %d", n)
	}
}
