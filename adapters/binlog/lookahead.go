package binlog

import (
	"context"
	"errors"
	"fmt"

	"banyan.dev/banyan/mirror/change"
)

// aheadLimit is how many bytes of a group are kept in memory to look ahead in it. Of a larger one, the log is read twice.
const aheadLimit = 4 << 20

// ahead keeps a group's events until its end is known, because not all of them need to have happened:
//
//   - A MariaDB transaction that has also changed tables without transactions is in the log with changes that a ROLLBACK TO
//     SAVEPOINT undid, and that statement behind them. One that was rolled back whole is there, too, if it has also made a
//     temporary table or was logged as statements: ROLLBACK ends it. (Rows of tables without transactions, which stay, are
//     in groups of their own.) MySQL with GTIDs refuses to mix so.
//   - A prepared XA transaction is not decided. On MySQL, a group that begins with XA START may also end with its commit.
type ahead struct {
	prepared bool // it begins as an XA transaction
	over     bool // there is more than is kept
	kept     []event
	size     int
	plan     plan
}

// lookAhead keeps an event until the group's end shows what of it happened.
func (s *stream) lookAhead(ctx context.Context, e event) error {
	a := s.current.ahead
	end, err := s.follow(&a.plan, e)
	if err != nil {
		return err
	}
	if !a.over {
		a.kept = append(a.kept, e)
		a.size += len(e.body) + 64
	}
	switch {
	case end == prepared && s.as == nil:
		return s.hold(e, a)
	case end != goesOn && a.over:
		return s.nest(ctx, s.current.begins)
	case end != goesOn:
		s.decide(a.kept, a.plan)
	case a.size <= s.src.aheadLimit || a.over:
	case a.prepared:
		a.over, a.kept = true, nil
	default:
		whole, err := s.scan(ctx)
		if errors.Is(err, errTorn) {
			s.current.torn, s.current.ahead = true, nil
			return nil
		}
		if err != nil {
			return err
		}
		s.decide(a.kept, whole)
	}
	return nil
}

// decide lets what was kept happen, and, by the plan, what comes behind it.
func (s *stream) decide(kept []event, by plan) {
	s.replay, s.current.plan = kept, by
	s.current.ahead, s.current.decided, s.current.open = nil, true, true
}

// scan reads the current group on a link of its own, to its end, for what of it was undone. One without an end is errTorn.
func (s *stream) scan(ctx context.Context) (plan, error) {
	second, err := s.second(ctx, s.current.begins)
	if err != nil {
		return plan{}, err
	}
	defer s.disconnect(second.link)
	var p plan
	for ordinal, in := 0, false; ; {
		e, err := second.next(ctx)
		switch {
		case truncated(err) || garbage(err):
			return plan{}, errTorn
		case err != nil:
			return plan{}, passing(err)
		case e.kind == kindRotate || in && e.kind == kindFormat:
			return plan{}, errTorn
		case in && beginsGroup(e.kind):
			return plan{}, errNoEnd
		case beginsGroup(e.kind):
			in = true
			continue
		}
		if !in {
			continue
		}
		ordinal++
		e.ordinal = ordinal
		if end, err := s.follow(&p, e); err != nil || end != goesOn {
			return p, err
		}
	}
}

// passing marks an error of a second link, which says nothing of the log itself.
func passing(err error) error {
	if change.Stops(err) != nil || errors.Is(err, errLink) {
		return err
	}
	return fmt.Errorf("%w: %w", errLink, err)
}
