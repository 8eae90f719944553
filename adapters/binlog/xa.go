package binlog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// Prepared XA transactions (MySQL Reference Manual, "XA Transactions"): the log has their rows where they were prepared, in
// a group that ends with XA PREPARE, and the decision in a group of its own. The rows are given then, as that group's.

// hold is a prepared transaction that is not decided.
type hold struct {
	xid    string
	begins change.Position
	// kept are its events, if they are few enough; else they are read again.
	kept []event
	size int
	plan plan
	// decided is where its decision begins; nil while there is none.
	decided *change.Position
}

// holds are prepared transactions that are not decided, or whose decision may have to be read again, in the log's order.
type holds []hold

// oldest gives the place from which all can be read again: none that is undecided begins before it, nor one that is
// decided behind it.
func (h *holds) oldest(now change.Position) change.Position {
	from, place := now, len(*h)
	for i := len(*h) - 1; i >= 0; i-- {
		// Those behind i are wholly behind the place, or begin there.
		if one := (*h)[i]; one.decided == nil || !before(*one.decided, from) {
			from, place = one.begins, i
		}
	}
	*h = (*h)[place:]
	return from
}

// before compares places of one server's log.
func before(p, q change.Position) bool {
	c, err := p.Compare(q)
	return err == nil && c < 0
}

func (h holds) size() (n int) {
	for _, one := range h {
		n += one.size
	}
	return n
}

// undecided names those that are not decided, as change.Position has them.
func (h holds) undecided() string {
	var b strings.Builder
	for i := range h {
		if h[i].decided == nil {
			b.WriteString(" " + h[i].xid)
		}
	}
	return b.String()
}

// decide finds the undecided transaction of a name, and says that it no longer is.
func (h holds) decide(xid string, at change.Position) (hold, bool) {
	for i := range h {
		if one := h[i]; one.xid == xid && one.decided == nil {
			h[i].decided, h[i].kept, h[i].size = &at, nil, 0
			return one, true
		}
	}
	return hold{}, false
}

type xaPrepare struct {
	onePhase bool
	xid      string
}

func parseXAPrepare(body []byte) (xaPrepare, error) {
	c := cursor{rest: body}
	x := xaPrepare{onePhase: c.u8() != 0}
	format := uint32(c.little(4))
	global, branch := int(c.little(4)), int(c.little(4))
	x.xid = change.XAName(format, c.bytes(global), c.bytes(branch))
	return x, c.err()
}

// hold ends a group that was prepared.
func (s *stream) hold(e event, a *ahead) error {
	x, err := parseXAPrepare(e.body)
	if err != nil {
		return err
	}
	one := hold{xid: x.xid, begins: s.current.begins, kept: a.kept, size: a.size, plan: a.plan}
	if a.over || s.holds.size()+one.size > 4*s.src.aheadLimit {
		one.kept, one.size = nil, 0
	}
	s.holds = append(s.holds, one)
	s.undecided = s.holds.undecided()
	s.leave()
	return nil
}

// commitXA gives a prepared transaction's rows as those of the current group.
func (s *stream) commitXA(ctx context.Context, xid string) error {
	one, ok := s.holds.decide(xid, s.current.begins)
	s.undecided = s.holds.undecided()
	s.current.transaction.XA = xid
	if ok && one.kept != nil {
		s.decide(one.kept, one.plan)
		return nil
	}
	begins := one.begins
	if !ok {
		var err error
		if begins, ok, err = s.findPrepared(ctx, xid); err != nil {
			return err
		}
	}
	if !ok {
		return &change.StopError{
			What: fmt.Sprintf("the XA transaction that is committed before %s was prepared in a log that is no longer there", s.place.position("")), Fix: resetFix,
		}
	}
	return s.nest(ctx, begins)
}

// rollbackXA forgets a prepared transaction.
func (s *stream) rollbackXA(xid string) {
	s.holds.decide(xid, s.current.begins)
	s.undecided = s.holds.undecided()
	s.leave()
}

// nest reads a group on a second link, as rows of the current one.
func (s *stream) nest(ctx context.Context, begins change.Position) error {
	second, err := s.second(ctx, begins)
	if err != nil {
		return err
	}
	second.as = &s.current.transaction
	s.nested = second
	return nil
}

func (s *stream) stepNested(ctx context.Context) error {
	e, err := s.nested.Next(ctx)
	if err != nil {
		return passing(err)
	}
	if _, ok := e.(*change.End); ok {
		s.disconnect(s.nested.link)
		s.nested = nil
		s.leave()
		return nil
	}
	s.queue = append(s.queue, e)
	return nil
}

// second opens another link at a place that was read before.
func (s *stream) second(ctx context.Context, at change.Position) (*stream, error) {
	passed, err := parseGTIDs(s.found.mariadb, at.GTIDs)
	if err != nil {
		return nil, err
	}
	other := s.src.newStream(s.found, s.charsets, passed)
	other.owner = s
	if err := other.place.enter(at.File, at.Offset); err != nil {
		return nil, err
	}
	for other.id == 0 || other.id == s.id || other.id == s.found.id {
		other.id = rand.Uint32() | 1<<30 //nolint:gosec // It is no secret.
	}
	what := dumpFrom(at)
	other.placed, other.seeking = true, what.file == ""
	other.link = s.src.newLink(s.found, other.id, what)
	if err := s.connect(ctx, other.link, what); err != nil {
		return nil, passing(err)
	}
	return other, nil
}
