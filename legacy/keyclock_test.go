package legacy_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// A key is kept for as long as was said, whatever the legacy's zone does to its clocks meanwhile: an hour that they skip is
// no error, and one that they repeat makes no key expire early.
func TestKeysOutliveClockChanges(t *testing.T) {
	const zone = "Europe/Berlin"
	berlin, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(berlin)
	wall := time.Date(now.Year(), now.Month(), now.Day(), now.Hour(), now.Minute(), now.Second(), 0, time.UTC)
	_, offset := now.Zone()
	var skipped, behind time.Duration // from now by the wall clock
	for day := 1; day < 400; day++ {
		night := time.Date(now.Year(), now.Month(), now.Day()+day, 2, 30, 0, 0, berlin)
		if skipped == 0 && night.Hour() != 2 {
			skipped = time.Date(now.Year(), now.Month(), now.Day()+day, 2, 30, 0, 0, time.UTC).Sub(wall)
		}
		if _, then := night.Zone(); behind == 0 && then != offset {
			behind = night.Sub(now) + 48*time.Hour
		}
	}
	if skipped == 0 || behind == 0 {
		t.Fatalf("%s changes no clocks: %s, %s", zone, skipped, behind)
	}
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			var known bool
			if err := newMarks(t, server).db.QueryRowContext(t.Context(), "SELECT CONVERT_TZ(NOW(), '+00:00', '"+zone+"') IS NOT NULL").Scan(&known); err != nil {
				t.Fatal(err)
			}
			if !known {
				t.Skip("the server has no time zones")
			}
			c := newCounter(t, server, func(o *pool.Options) { o.TimeZone = zone })
			for name, keep := range map[string]time.Duration{"skipped": skipped, "behind": behind} {
				c.backend.WithKeys(legacy.NewKeys(legacy.KeyOptions{Schema: c.marks.schema, Keep: keep, MaxReply: 500}))
				if got := c.take(t.Context(), t, c.once, "Take", "", name, `{"by":"x"}`); got.err != nil || got.replayed {
					t.Fatalf("%s: %v (%v)", name, got, got.err)
				}
				var left int
				if err := c.marks.db.QueryRowContext(t.Context(), "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), expires_at) FROM idempotency WHERE idempotency_key = ?", name).Scan(&left); err != nil {
					t.Fatal(err)
				}
				if off := keep - time.Duration(left)*time.Second; off < 0 || off > time.Minute {
					t.Errorf("%s: kept for %s, and not for %s", name, time.Duration(left)*time.Second, keep)
				}
				if got := c.take(t.Context(), t, c.once, "Take", "", name, `{"by":"x"}`); got.err != nil || !got.replayed {
					t.Errorf("%s: again it is %v (%v)", name, got, got.err)
				}
			}
		})
	}
}

// A live write may be in doubt for longer than keys are kept. Whoever repeats it when that is over gets its reply.
func TestAKeyIsKeptFromTheEndOfItsWrite(t *testing.T) {
	c := newCounter(t, devstack.Databases(t)[0])
	hash := c.hash(t, "long", `{"by":"x"}`)
	w := &strangler.Write{
		ID: uuid.NewString(), Capability: "c", Operation: "lab.v1.S.Take", Entity: "1", Epoch: 1, Request: []byte("r"),
		Idempotency: &strangler.Idempotency{Key: "long", Request: hash},
	}
	if err := c.writes.Open(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	c.marks.exec(t, "UPDATE idempotency SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 DAY")
	c.marks.exec(t, "UPDATE writes SET state = 'closed', reply = X'0807120178', created_at = NOW(6) - INTERVAL 2 DAY, changed_at = NOW(6)")
	if n, err := c.backend.SweepKeys(t.Context()); err != nil || n != 0 {
		t.Errorf("swept %d: %v", n, err)
	}
	if got := c.take(t.Context(), t, c.once, "Take", "", "long", `{"by":"x"}`); got.String() != `{"number":"7","text":"x"} true` {
		t.Errorf("got %v (%v)", got, got.err)
	}
	c.marks.exec(t, "UPDATE writes SET changed_at = NOW(6) - INTERVAL 61 MINUTE")
	if n, err := c.backend.SweepKeys(t.Context()); err != nil || n != 1 {
		t.Errorf("swept %d: %v", n, err)
	}
}
