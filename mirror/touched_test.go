package mirror

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

func ofID(v change.Value) *change.Rows {
	return &change.Rows{Table: orders(), Op: change.Insert, First: 1, Rows: []change.Row{{After: []change.Value{v, null()}}}}
}

func TestIDsAreAsTheContractHasThem(t *testing.T) {
	for want, v := range map[string]change.Value{
		"-7":                   num(-7),
		"18446744073709551615": {Kind: change.BigUint, Num: math.MaxUint64},
		"-9223372036854775808": {Kind: change.BigInt, Num: 1 << 63},
		"4294967295":           {Kind: change.Uint, Num: math.MaxUint32},
		"Ä 1":                  str("Ä 1"),
		"12.50":                {Kind: change.Decimal, Text: []byte("12.50")},
		"2026-01-02":           {Kind: change.Temporal, Text: []byte("2026-01-02")},
	} {
		if got, err := idText(&v); err != nil || got != want {
			t.Errorf("%+v is %q, %v; want %q", v, got, err, want)
		}
	}
}

// An update that changes the id concerns both entities.
func TestARowThatMovesConcernsBoth(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
		l.log.add(&change.Rows{Table: orders(), Op: change.Update, First: 1, Rows: []change.Row{
			{Before: []change.Value{big(1), null()}, After: []change.Value{big(2), null()}},
			{Before: []change.Value{big(3), null()}, After: []change.Value{big(3), null()}},
		}})
		l.log.add(&change.Rows{Table: orders(), Op: change.Delete, First: 1, Rows: []change.Row{{Before: []change.Value{big(4), null()}}}})
		l.after(time.Second)
		want := []string{"foreign 1 at 0:1", "foreign 2 at 0:1", "foreign 3 at 0:2", "foreign 4 at 100:1"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
	})
}
