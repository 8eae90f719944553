package rig

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestProgressDatesConfirms(t *testing.T) {
	p := &Progress{}
	if p.Look() != 0 {
		t.Error("something is confirmed before anything was sent")
	}
	confirmed := uint64(0)
	p.Follow(func() uint64 { return confirmed })
	for key := range int64(3) {
		p.Sent(key + 7)
	}
	confirmed = 2
	before := time.Now().UnixNano()
	if got := p.Look(); got != 2 || len(p.receipts) != 2 || p.receipts[0].Key != 7 || p.receipts[1].Key != 8 || p.receipts[1].At < before {
		t.Errorf("%d confirmed, receipts %v", got, p.receipts)
	}
	first := p.receipts[0]
	confirmed = 3
	p.Await(t.Context(), 3, time.Hour)
	if len(p.receipts) != 3 || p.receipts[0] != first || p.receipts[2].Key != 9 {
		t.Errorf("receipts %v, want one more", p.receipts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Await(ctx, 4, time.Hour)
}

func TestLatencies(t *testing.T) {
	const ms = int64(time.Millisecond)
	committed := []int64{0, 10 * ms, 20 * ms, 30 * ms}
	receipts := []Receipt{{100, 900 * ms}, {102, 25 * ms}, {101, 12 * ms}, {103, 29 * ms}, {102, 99 * ms}}
	of := func(receipts []Receipt, warmUp int) (Latency, error) {
		return Outcome{Receipts: receipts}.Latency(100, committed, warmUp)
	}
	if l, err := of(receipts, 1); err != nil || l != (Latency{P50: 2, P99: 5, Max: 5}) {
		t.Errorf("got %+v, %v", l, err)
	}
	for want, bad := range map[string]struct {
		receipts []Receipt
		warmUp   int
	}{
		"no message of row 103":          {receipts[:3], 1},
		"row 99, which was not written":  {[]Receipt{{99, 0}}, 1},
		"all 4 rows were for warming up": {receipts, 4},
	} {
		if _, err := of(bad.receipts, bad.warmUp); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A contender that ends before its time has not done its job, whether it says so or not.
func TestAContenderThatEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, of := range []struct {
		err  error
		want string
	}{{broken, "broken"}, {nil, "one ended at 2 of 3 messages"}} {
		_, err := Contest(t.Context(), "one", 3, nil, func(_ context.Context, p *Progress) error {
			p.Follow(func() uint64 { return 2 })
			return of.err
		})
		if err == nil || err.Error() != of.want {
			t.Errorf("got %v, want %s", err, of.want)
		}
	}
	told := 0
	o, err := Contest(t.Context(), "one", 2, func() error { told++; return nil }, func(ctx context.Context, p *Progress) error {
		p.Follow(func() uint64 { return 2 })
		p.Sent(5)
		p.Sent(6)
		<-ctx.Done()
		return nil
	})
	if err != nil || told != 1 || len(o.Receipts) != 2 || o.Receipts[1].Key != 6 {
		t.Errorf("told %d times, %+v, %v", told, o, err)
	}
}
