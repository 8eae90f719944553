package replica

import (
	"context"
	"fmt"

	"banyan.dev/banyan/mirror/change"
)

// Audit is what was found when what came was held against the log.
type Audit struct {
	// Expected counts the log's changes since the first event that came, Lost those of them that never came as events,
	// and Unknown events that are of no change.
	Expected, Lost, Unknown uint64
	// Problems are the first of these, for people.
	Problems []string
}

// Err is nil when nothing was lost.
func (a *Audit) Err() error {
	if a.Lost+a.Unknown == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d changes were lost, and %d events are of no change: %q", a.Lost, a.Expected, a.Unknown, a.Problems)
}

// Audit reads the log between two positions of one server and looks for each change among the events that came. A row
// that was changed and changed back would be missed by nobody who compares rows only.
func (c *Consumer) Audit(ctx context.Context, log change.Source, from, to change.Position) (*Audit, error) {
	stream, err := log.Open(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("open the log to audit it: %w", err)
	}
	defer stream.Close() //nolint:errcheck // it was only read
	a := &Audit{}
	var v change.Version
	var id string
	expect := func(what string, row uint32) {
		v.Row = row
		switch begun, known := c.knows(v, id); {
		case !begun: // before the mirror began
		case known:
			a.Expected++
		default:
			a.Expected++
			a.Lost++
			if len(a.Problems) < mostProblems {
				a.Problems = append(a.Problems, fmt.Sprintf("%s:%d %s at %s never came", id, row, what, v))
			}
		}
	}
	for {
		event, err := stream.Next(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the log to audit it: %w", err)
		}
		switch e := event.(type) {
		case *change.Begin:
			v, id = change.Version{Epoch: c.epoch(), File: e.File, Offset: e.Offset}, e.ID
		case *change.Rows:
			for i := range e.Rows {
				expect(string(e.Op)+" of "+e.Table.Name, e.First+uint32(i)) //nolint:gosec // as in the log
			}
		case *change.Statement:
			expect(string(e.Op)+" of "+e.Table, e.Row)
		case *change.End:
			order, err := e.Next.Compare(to)
			if err != nil {
				return nil, fmt.Errorf("audit the log: %w", err)
			}
			if order >= 0 {
				a.Unknown = c.changes() - (a.Expected - a.Lost)
				return a, nil
			}
		}
	}
}

// epoch gives that of the first event.
func (c *Consumer) epoch() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.history.transactions) == 0 {
		return 0
	}
	return c.history.transactions[0].version.Epoch
}

// knows says whether the event of a version has come, as part of a transaction, and whether any had by then.
func (c *Consumer) knows(v change.Version, transaction string) (begun, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.history.transactions) == 0 {
		return true, false
	}
	id, _, found := c.history.find(v)
	return transactionOf(v).Compare(c.history.transactions[0].version) >= 0, found && id == transaction
}

// changes counts the events that the log has a change for, each by itself.
func (c *Consumer) changes() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts.Events - c.counts.Ops[cascade]
}
