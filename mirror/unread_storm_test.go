package mirror

import (
	"context"
	"fmt"
	"testing"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// slowEntities take their time to say that they can't be read.
type slowEntities struct {
	*broken
	spent time.Duration
}

func (e *slowEntities) Read(ctx context.Context, at change.Position, all []EntityName) ([]EntityState, error) {
	states, err := e.broken.Read(ctx, at, all)
	for _, state := range states {
		if state.Unreadable != nil {
			<-time.After(100 * time.Millisecond)
			e.set(func() { e.spent += 100 * time.Millisecond })
		}
	}
	return states, err
}

// Reading again what can't be read holds up neither what can nor legacy, however many there are and however long each takes.
func TestReadingAgainHoldsNothingUp(t *testing.T) {
	var slow *slowEntities
	serveBroken(t, func(t *testing.T, l *lab, e *broken, c *corner) {
		ids := make([]int64, mostApart)
		e.set(func() {
			for i := range ids {
				ids[i] = int64(i + 1)
				e.bad[fmt.Sprint(i+1)] = "a value"
			}
		})
		l.log.add(inserted(1, ids...))
		l.after(150 * time.Second)
		if n := len(c.kept); n != mostApart {
			t.Errorf("%d are kept", n)
			return
		}
		e.set(func() { slow.spent = 0 })
		for n := range 100 {
			l.log.add(inserted(1, int64(5000+n)))
			l.after(3 * time.Second)
			if told := l.broker.told(t); len(told) != n+1 {
				t.Errorf("3 s after change %d, %d are told", n+1, len(told))
				return
			}
		}
		e.set(func() {
			if slow.spent < 10*time.Second || slow.spent > 100*time.Second {
				t.Errorf("of 300 s, they were read for %v", slow.spent)
			}
			clear(e.bad)
		})
		l.after(2 * time.Minute)
		if s := l.mirror.Status(); s.Unreadable != 0 || len(c.kept) != 0 {
			t.Errorf("%d can't be read, %d are kept", s.Unreadable, len(c.kept))
		}
	}, func(e *broken) Entities {
		slow = &slowEntities{broken: e}
		return slow
	})
}
