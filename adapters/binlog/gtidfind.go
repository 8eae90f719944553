package binlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

// What a MySQL server says it has executed is not what is before the end of its log: transactions are in the log before
// they count as executed. The log has all: each file begins with the GTIDs that are in files before it.

// addPrevious adds what a file's beginning says. The server leaves out what it has executed but not logged.
func (g *gtids) addPrevious(body []byte) (err error) {
	// go-mysql's decoder may index without looking.
	defer func() {
		if recover() != nil {
			err = errShort
		}
	}()
	var previous replication.PreviousGTIDsEvent
	if err := previous.Decode(body); err != nil {
		return fmt.Errorf("read the GTIDs of the files before: %w", err)
	}
	all, err := parseGTIDs(false, previous.GTIDSets)
	if err != nil {
		return err
	}
	g.addAll(all)
	return nil
}

// addAll adds a MySQL server's set.
func (g *gtids) addAll(other *gtids) {
	for _, s := range other.sources {
		for _, iv := range s.intervals {
			g.add(s.name, iv)
		}
	}
}

// has says that all of other's transactions are in a MySQL server's set.
func (g *gtids) has(other *gtids) bool {
	both := &gtids{}
	both.addAll(g)
	both.addAll(other)
	return both.same(g)
}

// errReached says that all before a place has been read.
var errReached = errors.New("the place is reached")

// findPassed completes a MySQL server's GTIDs before a position by its log. Of some known ones, the server sends only what is
// behind them; without, it sends the file's beginning. What is read is not kept. It gives the position, or, where that lies
// in the middle of a transaction, the transaction's beginning: what the server calls its log's end may lie so.
func (s *Source) findPassed(ctx context.Context, found server, to change.Position, known *gtids) (change.Position, error) {
	id := found.id
	for id == found.id || id == s.opt.ServerID {
		id = rand.Uint32() | 1<<30 //nolint:gosec // It is no secret.
	}
	what := dump{file: to.File, from: 4, brief: true}
	if !known.empty() {
		what = dump{gtids: known.String(), brief: true}
	}
	reading := s.newStream(found, nil, known)
	defer reading.Close() //nolint:errcheck // It never fails.
	reading.reach = &to
	if err := reading.place.enter(to.File, 0); err != nil {
		return to, err
	}
	reading.link = s.newLink(found, id, what)
	if err := reading.connect(ctx, reading.link, what); err != nil {
		return to, err
	}
	var last struct { // the transaction that is read
		in    bool
		group group
		start uint64
	}
	pass := func() {
		if last.in && last.group.number > 0 {
			known.pass(&last.group)
		}
		last.in = false
	}
	for {
		ended := reading.place.position("")
		e, err := reading.next(ctx)
		if err != nil && !errors.Is(err, errReached) {
			return to, err
		}
		at := reading.place.position("")
		if e.kind != kindRotate {
			at.Offset = e.start
		}
		next := beginsGroup(e.kind) || e.kind == kindRotate || e.kind == kindStop
		if err != nil || !before(at, to) {
			if last.in && (before(to, ended) || err == nil && !next) {
				to.Offset = last.start
				return to, nil
			}
			pass()
			return to, nil
		}
		switch {
		case e.kind == kindPrevious:
			err = known.addPrevious(e.body)
		case beginsGroup(e.kind):
			pass()
			last.in, last.start = true, e.start
			if last.group, err = parseGTID(e); errors.Is(err, errNoGTID) {
				err = nil
			}
		}
		if err != nil {
			return to, malformed(at, "an event", err)
		}
		// Most transactions end so. Of others, what comes behind them shows it.
		if (e.kind == kindXID || e.kind == kindPayload) && !before(reading.place.position(""), to) && !before(to, reading.place.position("")) {
			pass()
			return to, nil
		}
	}
}

// reached looks at the place that a heartbeat tells: the server has sent all before it, or passed over it.
func (r *reader) reached(e *event) bool {
	if r.reach == nil {
		return false
	}
	at := change.Position{Server: r.reach.Server, File: string(e.body), Offset: uint64(e.end)}
	return e.kind == kindHeartbeat && e.end != 0 && !before(at, *r.reach)
}
