package binlog

import (
	"context"
	"errors"
	"fmt"

	"banyan.dev/banyan/mirror/change"
)

// current is the group that is being read.
type current struct {
	group
	in    bool // in one
	open  bool // it has an end of its own; else it is one statement
	begun bool // its Begin was given
	// decided says that all that is acted on happened, or that the plan says what did not.
	decided     bool
	begins      change.Position
	transaction change.Transaction
	row         uint32 // the last row's number
	ordinal     int    // the last event's number
	ahead       *ahead // while it is looked ahead
	torn        bool   // it has no end, so that nothing of it happened
	plan        plan
}

// enter begins a group.
func (s *stream) enter(e event) error {
	if s.current.in {
		return errNoEnd
	}
	var g group
	var err error
	if e.kind == kindMariaGTID {
		g, err = parseMariaGTID(e)
	} else {
		g, err = parseGTID(e)
	}
	if errors.Is(err, errNoGTID) {
		return &change.StopError{
			What: fmt.Sprintf("a transaction at %s has no GTID", s.place.position("")),
			Fix:  "SET GLOBAL enforce_gtid_consistency = ON; then SET GLOBAL gtid_mode = OFF_PERMISSIVE, ON_PERMISSIVE and ON, one after another; then `banyan mirror reset`",
		}
	}
	if err != nil {
		return err
	}
	begins := s.place.position(s.gtids.String())
	begins.Offset = e.start
	s.current = current{
		group: g, in: true, open: e.kind == kindMariaGTID && !g.standalone, begins: begins,
		transaction: change.Transaction{ID: g.id(), File: s.place.number, Offset: e.start, Committed: g.committed},
	}
	if s.as != nil {
		s.current.transaction = *s.as
	}
	clear(s.tables)
	if s.current.open {
		s.current.ahead = &ahead{prepared: g.prepared && s.as == nil}
	}
	return nil
}

// inGroup takes an event of a group, at once or, where what comes behind it decides, later.
func (s *stream) inGroup(ctx context.Context, e event) error {
	s.current.ordinal++
	e.ordinal = s.current.ordinal
	if s.current.torn {
		return nil
	}
	if s.current.ahead != nil {
		return s.lookAhead(ctx, e)
	}
	return s.act(ctx, e)
}

// act gives what an event of a group says.
func (s *stream) act(ctx context.Context, e event) error {
	switch e.kind {
	case kindQuery, kindMariaQuery:
		return s.query(ctx, e)
	case kindXID, kindXAPrepare:
		s.leave()
		return nil
	case kindTableMap:
		return s.tableMap(ctx, e)
	case kindExecuteLoad:
		return s.load(ctx, e)
	case kindPartial:
		return &change.StopError{
			What: fmt.Sprintf("the log at %s has parts of JSON values only", s.place.position("")),
			Fix:  "SET GLOBAL binlog_row_value_options = ''; sessions keep their own until they end; then `banyan mirror reset`",
		}
	}
	if _, version, _ := rowsKind(e.kind); version > 0 {
		return s.rowsEvent(e)
	}
	return other(e)
}

// give queues an event of the group, behind its Begin.
func (s *stream) give(e change.Event) {
	if !s.current.begun {
		s.current.begun = true
		s.begin.Transaction = s.current.transaction
		s.queue = append(s.queue, &s.begin)
	}
	s.queue = append(s.queue, e)
}

// leave ends a group.
func (s *stream) leave() {
	s.gtids.pass(&s.current.group)
	s.current, s.placed = current{}, true
	s.settler.seen++
	s.passEnd()
}

// passEnd gives the place, or that of the oldest undecided transaction.
func (s *stream) passEnd() {
	s.end.At = s.place.position(s.gtids.String())
	s.end.Next = s.holds.oldest(s.end.At)
	s.end.At.Undecided = s.undecided
	s.queue = append(s.queue, &s.end)
}
