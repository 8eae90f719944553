package mirror

import (
	"context"
	"fmt"
	"slices"

	"banyan.dev/banyan/mirror/change"
)

// The ledger's tables that the mirror knows, and their columns.
const (
	writersTable   = "writers"
	writersReplica = "replica"
	locksTable     = "locks"
	locksNumber    = "n"
	heartbeatTable = "heartbeat"
	heartbeatName  = "name"
	heartbeatBeat  = "beat"
)

// handler makes messages of what the log gives. Its methods but run are called by one goroutine.
type handler interface {
	begin(tx change.Transaction)
	rows(ctx context.Context, r *change.Rows) error
	statement(ctx context.Context, e *change.Statement) error
	end(ctx context.Context, e *change.End) error
	// run does what is to be done beside reading, until ctx ends or it fails.
	run(ctx context.Context) error
}

// read takes events from the stream and hands them on, until ctx ends or something fails.
func (s *session) read(ctx context.Context) error {
	for {
		event, err := s.stream.Next(ctx)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		switch e := event.(type) {
		case *change.Begin:
			s.events.begin(e.Transaction)
		case *change.Rows:
			err = s.events.rows(ctx, e)
		case *change.Statement:
			err = s.events.statement(ctx, e)
		case *change.End:
			err = s.events.end(ctx, e)
		default:
			err = fmt.Errorf("the log gave an event of an unknown kind, %T", event)
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) deliver(ctx context.Context, m *change.Message) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.deliverLocked(ctx, m)
}

func (s *session) deliverLocked(ctx context.Context, m *change.Message) error {
	if err := s.feed.Send(ctx, m); err != nil {
		return fmt.Errorf("send %s: %w", m.ID, err)
	}
	s.sent++
	return nil
}

// rowEvents is the handler that sends an event for each changed row.
type rowEvents struct {
	*session
	writer string // of the mark at the head of the transaction; empty: none
}

func (s *session) rowEvents() *rowEvents { return &rowEvents{session: s} }

func (s *rowEvents) run(context.Context) error { return nil }

func (s *rowEvents) begin(tx change.Transaction) {
	s.writer = ""
	s.encoder.begin(tx)
}

func (s *rowEvents) end(_ context.Context, e *change.End) error {
	s.sending.Lock()
	s.marks.add(s.sent, e.Next, s.feed.Confirmed)
	s.at = e.At
	s.sending.Unlock()
	s.m.watch.readTo(e.Next)
	return nil
}

func (s *rowEvents) rows(ctx context.Context, r *change.Rows) error {
	if r.Table.Schema == s.o.Ledger {
		s.ledger(r)
		return nil
	}
	var relations []Relation
	if s.o.Relations != nil && r.Op != change.Insert {
		relations = s.o.Relations.Of(r.Table.Schema, r.Table.Name)
	}
	for i := range r.Rows {
		number := r.First + uint32(i)
		m, err := s.encoder.row(r.Table, r.Op, &r.Rows[i], number)
		if err != nil {
			return err
		}
		if err := s.deliver(ctx, m); err != nil {
			return err
		}
		if relations == nil {
			continue
		}
		if m := s.encoder.cascade(r.Table, r.Op, &r.Rows[i], number, relations); m != nil {
			s.sweeps(number, true, func(f *filled) bool { return f.reachedBy(relations) })
			if err := s.deliver(ctx, m); err != nil {
				return err
			}
		}
	}
	s.m.watch.count(r.Op, len(r.Rows))
	return nil
}

func (s *rowEvents) statement(ctx context.Context, e *change.Statement) error {
	if e.Schema == s.o.Ledger {
		return nil
	}
	if e.Op == change.Opaque {
		s.o.Logger.Error("a statement changed rows without saying which: its session does not log rows; consumers get an opaque event, and need a fresh copy of the table",
			"schema", e.Schema, "table", e.Table, "transaction", s.encoder.tx.ID)
	}
	s.sweeps(e.Row, false, func(f *filled) bool { return f.is(e.Schema, e.Table) || f.is(e.ToSchema, e.ToTable) })
	if err := s.deliver(ctx, s.encoder.statement(e)); err != nil {
		return err
	}
	s.m.watch.count(e.Op, 1)
	if s.o.Relations == nil || !slices.Contains([]change.Op{change.Create, change.Alter, change.Drop, change.Rename}, e.Op) {
		return nil
	}
	if err := s.o.Relations.Refresh(ctx); err != nil {
		return fmt.Errorf("read the foreign keys after DDL: %w", err)
	}
	return nil
}

// ledger looks at Banyan's own rows: a writer mark at the head of a transaction says whose it is, a lock behind it that it
// writes back what a service has, a heartbeat how late it is read.
func (s *rowEvents) ledger(r *change.Rows) {
	switch r.Table.Name {
	case writersTable:
		if isMark(r) {
			s.writer = text(r.Table, r.Rows[0].After, writersReplica)
			s.encoder.originate(OriginBanyan, s.writer, false)
		}
	case locksTable:
		if s.writer != "" {
			s.encoder.originate(OriginBanyan, s.writer, true)
		}
	case heartbeatTable:
		if beat, ok := s.beatOf(r); ok {
			s.m.watch.beatSeen(beat)
		}
	}
}

// isMark says whether rows are the writer mark that a transaction begins with.
func isMark(r *change.Rows) bool { return r.First == 1 && r.Op == change.Update }

// beatOf gives the mirror's own heartbeat, if there is one among the rows.
func (s *session) beatOf(r *change.Rows) (beat uint64, ok bool) {
	for _, row := range r.Rows {
		if row.After == nil || text(r.Table, row.After, heartbeatName) != s.o.Name {
			continue
		}
		if v := find(r.Table, row.After, heartbeatBeat); v != nil {
			beat, ok = v.Num, true
		}
	}
	return beat, ok
}

func find(t *change.Table, row []change.Value, column string) *change.Value {
	i := slices.IndexFunc(t.Columns, func(c change.Column) bool { return c.Name == column })
	if i < 0 || i >= len(row) {
		return nil
	}
	return &row[i]
}

func text(t *change.Table, row []change.Value, column string) string {
	if v := find(t, row, column); v != nil {
		return string(v.Text)
	}
	return ""
}
