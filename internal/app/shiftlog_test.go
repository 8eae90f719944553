package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler"
)

// heldLedger holds one write-back until it is let go: as where legacy is away for the time of a failover.
type heldLedger struct {
	strangler.Ledger
	armed      *atomic.Bool
	begun, let chan struct{}
}

func (h heldLedger) WriteBack(ctx context.Context, w *strangler.Write, reply []byte, read func(context.Context) (*contract.Payload, error)) error {
	if h.armed.CompareAndSwap(true, false) {
		close(h.begun)
		<-h.let
	}
	return h.Ledger.WriteBack(ctx, w, reply, read)
}

// After a failover the stream goes on from its GTIDs in another server's log, where all has a greater version. What legacy had
// before a shift must not be told again then: it would take back what the service has written since.
func TestAFailoverTakesNoLiveWriteBack(t *testing.T) {
	h := heldLedger{armed: &atomic.Bool{}, begun: make(chan struct{}), let: make(chan struct{})}
	hold := func(p *app.Parts) {
		if p.Ledger != nil {
			held := h
			held.Ledger = p.Ledger
			p.Ledger = held
		}
	}
	b := newShiftLab(t, boxes.Options{}, "20s", hold, hold)
	b.to(t, "shadow")
	if err := b.add(t.Context(), 0, 7); err != nil { // in legacy
		t.Fatal(err)
	}
	b.shift(t, 0, "advance", map[string]any{"stage": "live"})
	h.armed.Store(true)
	acked := make(chan error, 1)
	go func() { acked <- b.add(context.WithoutCancel(t.Context()), 0, 7) }()
	<-h.begun // the service has committed it, and legacy doesn't have it
	modern, err := b.service.Contents(t.Context())
	if err != nil || len(modern[7]) != 2 {
		t.Fatalf("the service has %v, %v", modern[7], err)
	}

	// The same server plays the new one: the saved position is made another server's, and the leader's term ends.
	kept, err := store.New(store.Options{DSN: b.dsn, Schema: b.ledger, Mirror: "service.boxes", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	before, err := kept.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := before.Position.Server
	before.Position.Server = "the-old-server"
	position, err := json.Marshal(before.Position)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.db.ExecContext(t.Context(), "UPDATE "+b.ledger+".mirrors SET position = ?, term = term + 1 WHERE name = 'service.boxes'", position); err != nil {
		t.Fatal(err)
	}
	apptest.Poll(t, "the stream goes on in the other server's log", func() error {
		after, err := kept.State(t.Context())
		if err == nil && (after.Epoch <= before.Epoch || after.Position.Server != server) {
			err = fmt.Errorf("%+v", after)
		}
		return err
	})
	close(h.let)
	if err := <-acked; err != nil {
		t.Fatal(err)
	}
	apptest.Poll(t, "both sides have both writes", func() error {
		legacy, err := boxes.Contents(t.Context(), b.db)
		if err != nil {
			return err
		}
		now, err := b.service.Contents(t.Context())
		if err == nil && (!slices.Equal(now[7], modern[7]) || !slices.Equal(legacy[7], modern[7])) {
			err = fmt.Errorf("legacy has %v, the service %v, want %v", legacy[7], now[7], modern[7])
		}
		return err
	})
}

// A stream that is reset to an earlier place tells the service legacy's earlier states as if they were the newest.
func TestAStreamIsNotResetBackwardWhileKeysAreLive(t *testing.T) {
	b := newShiftLab(t, boxes.Options{}, "20s")
	b.to(t, "shadow")
	cfg, faults := config.Load(filepath.Join(b.dir, "banyan.yaml"), func(name string) (string, bool) {
		value, ok := b.variables[name]
		return value, ok
	})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	plan := func(to string) (change.Position, error) {
		r, err := app.PlanReset(t.Context(), cfg, "service.boxes", to, slog.New(slog.DiscardHandler))
		if err != nil {
			return change.Position{}, err
		}
		defer r.Close()
		return r.To, nil
	}
	early, err := plan("now")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan(early.String()); err != nil {
		t.Errorf("at shadow: %v", err)
	}
	planned, err := app.PlanReset(t.Context(), cfg, "service.boxes", early.String(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer planned.Close()
	if err := b.add(t.Context(), 0, 7); err != nil { // what would come again
		t.Fatal(err)
	}
	b.shift(t, 0, "advance", map[string]any{"stage": "live", "percent": 10})
	for _, err := range []error{planned.Do(t.Context()), second(plan(early.String()))} {
		if err == nil || !strings.Contains(err.Error(), "banyan rollback boxes") {
			t.Errorf("at live: %v", err)
		}
	}
	if _, err := plan("now"); err != nil {
		t.Errorf("forward: %v", err)
	}
	b.shift(t, 0, "rollback", map[string]any{})
	if err := planned.Do(t.Context()); err != nil {
		t.Errorf("after the rollback: %v", err)
	}
}

func second[T any](_ T, err error) error { return errors.Join(err) }
