package mirror

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/mirror/change"
)

// refuse makes the broker refuse messages with a text as too large.
func (b *inbox) refuse(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.large = text
}

// What is too large for the broker is kept apart like what can't be read: all others go on, fences are noted, and it is told once
// it can be.
func TestWhatIsTooLargeIsToldLater(t *testing.T) {
	serveBroken(t, func(t *testing.T, l *lab, _ *broken, c *corner) {
		l.broker.refuse(`"id":"2"`)
		l.log.add(marked(), inserted(2, 1, 2, 3))
		l.log.add(marked(), fenced(change.Insert, "orders", "f", 0, `[]`))
		l.after(30 * time.Second) // it was tried again meanwhile
		want := []string{"legacy 1 at 0:2", "legacy 3 at 0:4", "fence f epoch 0 void [] to q at 100:2"}
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" {
			t.Errorf("while it is too large (- want, + got):\n%s", diff)
		}
		s := l.mirror.Status()
		if s.Phase != PhaseLeading || s.Restarts > 0 || s.Entities != 2 || len(s.Unread) != 1 ||
			s.Unread[0].Reason != "the shop.v2.Order 2 is too large to be sent: its event has 20 bytes, and the broker takes 10 at most" || !strings.HasPrefix(s.Unread[0].Fix, "raise it;") {
			t.Errorf("status %+v", s)
		}
		if diff := cmp.Diff([]string{"f shop.v2.Order"}, c.passed); diff != "" {
			t.Errorf("passed (- want, + got):\n%s", diff)
		}
		if l.saved() != l.log.at(2) {
			t.Errorf("saved at %s", l.saved())
		}
		l.broker.refuse("")
		l.after(11 * time.Second)
		want = append(want, "foreign 2 at 0:3")
		if diff := cmp.Diff(want, l.broker.told(t)); diff != "" || len(c.kept) > 0 {
			t.Errorf("once it is not (- want, + got):\n%s; kept %+v", diff, c.kept)
		}
	})
}

// Why an entity is kept apart may change.
func TestWhatCantBeReadMayBeTooLargeThen(t *testing.T) {
	serveBroken(t, func(t *testing.T, l *lab, e *broken, c *corner) {
		e.set(func() { e.bad["2"] = "a value" })
		l.broker.refuse(`"id":"2"`)
		l.log.add(inserted(1, 2))
		l.after(time.Second)
		e.set(func() { e.bad["2"] = "" })
		l.after(11 * time.Second)
		if u := c.kept[EntityName{"shop.v2.Order", "2"}]; !strings.Contains(u.Reason, "too large") || !strings.Contains(u.Fix, "raise it") {
			t.Errorf("kept %+v", u)
		}
	})
}

// Without a place to keep it, it stops the stream.
func TestWhatIsTooLargeStopsAStreamThatKeepsNothing(t *testing.T) {
	serve(t, func(t *testing.T, l *lab, _ *shopEntities) {
		l.broker.refuse(`"id":"1"`)
		l.log.add(inserted(1, 1))
		l.after(time.Second)
		if s := l.mirror.Status(); s.Stop == nil || !strings.Contains(s.Stop.What, "too large") || s.Phase != PhaseStopped {
			t.Errorf("status %+v", s)
		}
	})
}
