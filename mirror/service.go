package mirror

import (
	"context"
	"fmt"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// ServiceStream says whose stream a Mirror is.
type ServiceStream struct {
	// Name is the service's, as in the config. Fences and announcements in the ledger name it.
	Name string
	// Entities are those that the service is told of.
	Entities Entities
	// Told are entities that no capability of the service has: what is written back of them, another service has written, so that it
	// is a change like those of legacy for this one. Nil: none.
	Told map[string]bool
	// Unread keeps apart what can't be read; nil: that stops the stream.
	Unread Unread
}

// ServiceName is the name of the mirror that is a service's stream.
func ServiceName(service string) string { return "service." + service }

// serviceEvents is the handler that sends entities as they are in legacy, and fences. It collects what a transaction
// touches; the pump reads and sends.
//
// Of an entity that was touched it holds the id alone, some hundred bytes, and of these at most mostWaiting and one event of
// the log: those of a larger transaction are handed to the pump before its end. So there are never more than three times as
// many, here, in the pump's queue and in its hands, however large transactions are.
type serviceEvents struct {
	*session
	pump *pump

	tx       *change.Transaction // nil between transactions
	author   author
	held     map[reference]held
	fences   []fence
	back     string     // the fence of the transaction by which keys are legacy's again, empty when none is
	beat     uint64     // the last one of the transaction, 0 for none
	nameless bool       // it was logged that a row of the transaction has no id
	last     change.End // of the transaction before it
}

func newServiceEvents(s *session) *serviceEvents {
	return &serviceEvents{session: s, pump: newPump(s), held: map[reference]held{}, last: change.End{Next: s.saved, At: s.saved}}
}

func (s *serviceEvents) run(ctx context.Context) error { return s.pump.run(ctx) }

func (s *serviceEvents) begin(tx change.Transaction) {
	s.tx, s.author, s.nameless, s.back = &tx, author{told: s.o.Service.Told}, false, ""
}

func (s *serviceEvents) rows(ctx context.Context, r *change.Rows) error {
	if r.Table.Schema == s.o.Ledger {
		return s.ledger(ctx, r)
	}
	for _, of := range s.o.Service.Entities.Of(r.Table.Schema, r.Table.Name) {
		columns, found := columnsOf(r.Table, []string{of.Column})
		if !found {
			return &change.StopError{
				What: fmt.Sprintf("the table %s.%s has no column %s (any more), by which its rows tell the %s that they are part of", r.Table.Schema, r.Table.Name, of.Column, of.Entity),
				Fix:  "make the `-- event:` of " + of.Entity + " say what the table has, and start again",
			}
		}
		for i := range r.Rows {
			if err := checkImage(r.Table, &r.Rows[i]); err != nil {
				return err
			}
			before, after := r.Rows[i].Before, r.Rows[i].After
			left := before != nil && (after == nil || !equal(&before[columns[0]], &after[columns[0]]))
			for n, image := range [...][]change.Value{before, after} {
				if image == nil {
					continue
				}
				if err := s.touch(r.Table, &of, &image[columns[0]], r.First+uint32(i), n == 0 && left); err != nil {
					return err
				}
			}
		}
	}
	s.m.watch.count(r.Op, len(r.Rows))
	return s.bound(ctx)
}

// touch notes the entity that a row is part of, or what leads to it. left says that the row has this value no more.
func (s *serviceEvents) touch(t *change.Table, of *EntityTable, v *change.Value, number uint32, left bool) error {
	ref := reference{of.Entity, "", of.Path}
	var none bool
	var err error
	if of.Path != nil {
		ref.id, none, err = valueText(v)
	} else {
		ref.id, err = idText(v)
		none = ref.id == ""
	}
	switch {
	case err != nil:
		return &change.StopError{
			What: fmt.Sprintf("a row of %s.%s in the transaction %s has a %s that can't be the id of a %s", t.Schema, t.Name, s.tx.ID, of.Column, of.Entity), Cause: err,
			Fix: "mend the row, then " + s.refill("that transaction"),
		}
	case none:
		if !s.nameless { // there may be very many of them
			s.o.Logger.Error("rows tell no entity that they are part of: they are left out", "schema", t.Schema, "table", t.Name, "column", of.Column, "transaction", s.tx.ID)
			s.nameless = true
		}
		s.m.watch.skipped()
		return nil
	}
	h := s.held[ref]
	if h.row = number; left && of.Own != nil {
		h.own = of.Own
	}
	s.held[ref] = h
	return nil
}

// refill says how to go on behind what can't be sent.
func (s *serviceEvents) refill(what string) string {
	return fmt.Sprintf("go on behind %s with banyan mirror reset --name %s, and fill the service %s anew", what, s.o.Name, s.o.Service.Name)
}

func (s *serviceEvents) statement(_ context.Context, e *change.Statement) error {
	if e.Schema == s.o.Ledger || e.Op == change.Create {
		return nil
	}
	if e.Op == change.Alter {
		for _, of := range s.o.Service.Entities.Of(e.Schema, e.Table) {
			s.o.Logger.Warn("a table of an entity was altered: if that has changed what its rows say, tell the service of all of them: banyan backfill",
				"entity", of.Entity, "schema", e.Schema, "table", e.Table, "statement", fmt.Sprintf("%.200s", e.SQL))
		}
		return nil
	}
	if e.Table != "" && len(s.o.Service.Entities.Of(e.Schema, e.Table)) == 0 && len(s.o.Service.Entities.Of(e.ToSchema, e.ToTable)) == 0 {
		return nil
	}
	return &change.StopError{
		What: fmt.Sprintf("a statement changed the table %s.%s as a whole (%s), and nobody can tell which entities: %.200s", e.Schema, e.Table, e.Op, e.SQL),
		Fix:  "once the table is as it should be, " + s.refill("the statement"),
	}
}

// bound hands what is held to the pump before the transaction's end, if there is too much of it. The transaction is
// whole in the log when its first row is read, so that the log's end lies behind it.
func (s *serviceEvents) bound(ctx context.Context) error {
	if len(s.held) < mostWaiting || s.tx == nil {
		return nil
	}
	at, err := s.o.Source.Tail(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	if at.Server != s.stream.Server() {
		return errMoved
	}
	if n, err := at.FileNumber(); err != nil || n < s.tx.File || n == s.tx.File && at.Offset <= s.tx.Offset {
		return fmt.Errorf("the log's end %s is not behind the transaction %s, which was read", at, s.tx.ID)
	}
	return s.pump.put(ctx, work{touched: s.touched(), xa: s.tx.XA, at: at})
}

func (s *serviceEvents) end(ctx context.Context, e *change.End) error {
	s.m.watch.readTo(e.Next)
	w := work{touched: s.touched(), fences: s.fences, beat: s.beat, begins: s.last.At, before: s.last.Next, next: e.Next, at: e.At, read: e.At}
	if len(w.touched) > 0 {
		w.xa = s.tx.XA
	}
	s.tx, s.fences, s.beat, s.last = nil, nil, 0, *e
	return s.pump.put(ctx, w)
}

// touched gives the entities that are held, and holds none from then on.
func (s *serviceEvents) touched() []touched {
	if len(s.held) == 0 {
		return nil
	}
	all := make([]touched, 0, len(s.held))
	var by *author // of all that a path leads to
	for ref, h := range s.held {
		t := touched{reference: ref, at: s.version(h.row), tx: s.tx, own: h.own}
		switch {
		case h.announced:
			t.origin = protocol.OriginAnnounce
		case ref.path == nil:
			t.origin = s.author.origin(ref.entity, ref.id)
		default:
			if by == nil {
				whose := s.author
				by = &whose
			}
			t.by = by
		}
		all = append(all, t)
	}
	if len(s.held) < 1000 {
		clear(s.held)
	} else {
		s.held = map[reference]held{} // a map keeps the size that it had once
	}
	return all
}

func (s *serviceEvents) version(number uint32) change.Version {
	return change.Version{Epoch: s.encoder.epoch, File: s.tx.File, Offset: s.tx.Offset, Row: number}
}
