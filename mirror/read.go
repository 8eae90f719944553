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
	heartbeatTable = "heartbeat"
	heartbeatName  = "name"
	heartbeatBeat  = "beat"
)

// read takes events from the stream, makes messages of them and sends them, until ctx ends or something fails.
func (s *session) read(ctx context.Context) error {
	for {
		event, err := s.stream.Next(ctx)
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		switch e := event.(type) {
		case *change.Begin:
			s.encoder.begin(e.Transaction)
		case *change.Rows:
			err = s.rows(ctx, e)
		case *change.Statement:
			err = s.statement(ctx, e)
		case *change.End:
			s.marks.add(s.sent, e.Next, s.feed.Confirmed)
			s.m.watch.readTo(e.Next)
		default:
			err = fmt.Errorf("the log gave an event of an unknown kind, %T", event)
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) rows(ctx context.Context, r *change.Rows) error {
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
			if err := s.deliver(ctx, m); err != nil {
				return err
			}
		}
	}
	s.m.watch.count(r.Op, len(r.Rows))
	return nil
}

func (s *session) deliver(ctx context.Context, m *change.Message) error {
	if err := s.feed.Send(ctx, m); err != nil {
		return fmt.Errorf("send %s: %w", m.ID, err)
	}
	s.sent++
	return nil
}

func (s *session) statement(ctx context.Context, e *change.Statement) error {
	if e.Schema == s.o.Ledger {
		return nil
	}
	if e.Op == change.Opaque {
		s.o.Logger.Error("a statement changed rows without saying which: its session does not log rows; consumers get an opaque event, and need a fresh copy of the table",
			"schema", e.Schema, "table", e.Table, "transaction", s.encoder.tx.ID)
	}
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

// ledger looks at Banyan's own rows: a writer mark at the head of a transaction says whose it is, a heartbeat how late it
// is read.
func (s *session) ledger(r *change.Rows) {
	switch r.Table.Name {
	case writersTable:
		if r.First == 1 && r.Op == change.Update {
			s.encoder.originate(OriginBanyan, text(r.Table, r.Rows[0].After, writersReplica))
		}
	case heartbeatTable:
		for _, row := range r.Rows {
			if row.After != nil && text(r.Table, row.After, heartbeatName) == s.o.Name {
				if v := find(r.Table, row.After, heartbeatBeat); v != nil {
					s.m.watch.beatSeen(v.Num)
				}
			}
		}
	}
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
