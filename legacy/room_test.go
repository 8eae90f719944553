package legacy

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(2)
		enter := func(slot int64) func() {
			leave, err := r.enter(t.Context(), slot)
			if err != nil {
				t.Fatal(err)
			}
			return leave
		}
		one, two := enter(1), enter(2)
		in := make(chan func())
		for _, slot := range []int64{1, 3} {
			go func() { in <- enter(slot) }()
		}
		synctest.Wait()
		select {
		case <-in:
			t.Fatal("a third came in, or a second of one slot")
		default:
		}
		two()
		three := <-in // slot 1 is still taken
		three()
		synctest.Wait()
		select {
		case <-in:
			t.Fatal("a second of one slot came in")
		default:
		}
		one()
		(<-in)()

		one, two = enter(1), enter(2)
		for _, slot := range []int64{1, 3} {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var e *strangler.Error
			if _, err := r.enter(ctx, slot); !errors.As(err, &e) || e.Code != codes.Canceled {
				t.Errorf("slot %d: %v", slot, err)
			}
		}
		one()
		two()
		if len(r.turns) != 0 || len(r.places) != 0 {
			t.Errorf("%d slots and %d places are still taken", len(r.turns), len(r.places))
		}
	})
}
