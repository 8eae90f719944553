package app_test

import (
	"errors"
	"fmt"
	"testing"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler/backfill"
	"banyan.dev/banyan/strangler/control"
)

// fills keeps backfills, and reads a table.
func (l *grantLab) fills(t *testing.T, o store.Options) error {
	ctx := t.Context()
	l.exec(t, "DELETE FROM "+l.ledger+".backfills", "ALTER TABLE "+l.ledger+".backfills AUTO_INCREMENT = 100000") // so many that old ones go
	b, err := store.NewBackfills(o)
	if err != nil {
		return err
	}
	defer b.Close()
	added, err := b.Add(ctx, []backfill.Job{{Target: backfill.Target{Mirror: "m", Schema: l.schema, Name: "boxes"}}})
	if err != nil {
		return err
	}
	job, found, err := b.Claim(ctx, "m", 1, 1, 0)
	if err != nil || !found {
		return fmt.Errorf("claimed %v: %w", found, err)
	}
	_, serr := b.Save(ctx, job)
	_, terr := b.Stop(ctx, added[0].ID, "")
	_, lerr := b.List(ctx, 1)
	tables, err := binlog.NewTables(binlog.Options{DSN: o.DSN})
	if err != nil {
		return err
	}
	defer tables.Close()
	source, err := binlog.New(binlog.Options{DSN: o.DSN})
	if err != nil {
		return err
	}
	defer source.Close()
	log, err := source.Tail(ctx)
	if err != nil {
		return err
	}
	_, cerr := tables.Count(ctx, l.schema, "boxes")
	_, rerr := tables.Read(ctx, mirror.Chunk{Schema: l.schema, Table: "boxes", Limit: 1, Log: log}, func(change.Position, *change.Table, []change.Value) error { return nil })
	return errors.Join(serr, terr, lerr, cerr, rerr)
}

// announces tells a service of entities anew.
func (l *grantLab) announces(t *testing.T, o store.Options) error {
	ctx := t.Context()
	l.exec(t, "DELETE FROM "+l.ledger+".epochs", "DELETE FROM "+l.ledger+".fences", "DELETE FROM "+l.ledger+".announcements")
	c, err := store.NewControl(o)
	if err != nil {
		return err
	}
	defer c.Close()
	ledger, err := store.NewLedger(o)
	if err != nil {
		return err
	}
	defer ledger.Close()
	_, err = c.Records(ctx)
	return errors.Join(err, ledger.Announce(ctx, control.Announcement{Service: "s", Capability: "boxes", Entity: "e", IDs: []string{"1"}}), ledger.SendFence(ctx, control.FenceRow{ID: "f", Service: "s", Capability: "boxes"}))
}
