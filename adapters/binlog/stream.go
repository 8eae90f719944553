package binlog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"banyan.dev/banyan/mirror/change"
)

// stream is a change.Stream: it follows the groups of events that a log is made of.
type stream struct {
	reader
	src      *Source
	found    server
	id       uint32
	charsets *charsets
	failed   error

	gtids   *gtids
	tables  map[uint64]*table
	byName  map[string]*table
	decoder decoder

	// placed says that the GTIDs are those of the place: not yet where the server looks for one by GTIDs.
	placed  bool
	settler settler
	// current is the group that is being read. Its events may come from memory or, of a prepared one, from a second link.
	current   current
	replay    []event
	nested    *stream
	holds     holds
	undecided string // of holds, as change.Position has them
	// as is set where a prepared transaction is read again: the transaction that decided it.
	as *change.Transaction
	// owner is the stream that opened this one, and closes its links; nil for the one that it is itself.
	owner *stream

	// What Next gives, and what it is made in.
	queue     []change.Event
	given     int
	begin     change.Begin
	rows      change.Rows
	statement []change.Statement
	end       change.End

	mu     sync.Mutex
	links  []*link // all that are open
	closed bool
}

func (s *Source) newStream(found server, known *charsets, passed *gtids) *stream {
	return &stream{
		reader: reader{place: place{server: found.identity}, silence: s.opt.ReadTimeout},
		src:    s, found: found, charsets: known, gtids: passed, tables: make(map[uint64]*table), byName: make(map[string]*table),
	}
}

// Server identifies the server that is read.
func (s *stream) Server() string { return s.found.identity }

// Close ends the stream. A waiting Next returns.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closed = true
	links := slices.Clone(s.links)
	s.mu.Unlock()
	for _, l := range links {
		l.close()
	}
	return nil
}

// connect starts a link that ends with the stream.
func (s *stream) connect(ctx context.Context, l *link, what dump) error {
	if s.owner != nil {
		return s.owner.connect(ctx, l, what)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.close()
		return net.ErrClosed
	}
	s.links = append(s.links, l)
	s.mu.Unlock()
	err := l.start(ctx, what)
	if err != nil {
		s.disconnect(l)
	}
	if isCode(err, errAccess) { // The password is right: it has just been asked with.
		return noRights(err)
	}
	return err
}

func (s *stream) disconnect(l *link) {
	if s.owner != nil {
		s.owner.disconnect(l)
		return
	}
	l.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links = slices.DeleteFunc(s.links, func(other *link) bool { return other == l })
}

// Next gives the next event.
func (s *stream) Next(ctx context.Context) (change.Event, error) {
	for s.given == len(s.queue) {
		if s.failed != nil {
			return nil, s.failed
		}
		if err := s.step(ctx); err != nil {
			s.failed = judge(err)
		}
	}
	s.given++
	return s.queue[s.given-1], nil
}

// step takes one event and queues what it gives.
func (s *stream) step(ctx context.Context) error {
	s.queue, s.given = s.queue[:0], 0
	if s.nested != nil {
		return s.stepNested(ctx)
	}
	if s.place.loose && s.placed && !s.current.in {
		if err := s.settle(ctx); err != nil || len(s.queue) > 0 {
			return err
		}
	}
	var e event
	var err error
	if len(s.replay) > 0 {
		e = s.replay[0]
		s.replay[0], s.replay = event{}, s.replay[1:]
		err = s.act(ctx, e)
	} else {
		if e, err = s.next(ctx); err != nil {
			return s.tears(ctx, err)
		}
		err = s.take(ctx, e)
	}
	if err == nil || change.Stops(err) != nil || errors.Is(err, errLink) {
		return err
	}
	return malformed(s.place.position(""), fmt.Sprintf("an event of type %d", e.kind), err)
}

// errLink is the failure of another connection than the one that is read. It says nothing of the log, and may pass.
var errLink = errors.New("ask the legacy besides")

// take handles the log's next event.
func (s *stream) take(ctx context.Context, e event) error {
	if beginsGroup(e.kind) {
		return s.enter(e)
	}
	switch e.kind {
	case kindRotate:
		if s.current.in {
			return s.dropTorn(ctx)
		}
		if s.heard && s.placed {
			s.passEnd()
		}
		return nil
	case kindIncident:
		return &change.StopError{What: fmt.Sprintf("the legacy itself lost changes on their way to its log before %s", s.place.position("")), Fix: resetFix}
	}
	if s.current.in {
		return s.inGroup(ctx, e)
	}
	if e.kind == kindPrevious {
		return s.gtids.addPrevious(e.body)
	}
	if err := other(e); err != nil {
		return err
	}
	if s.heard && s.placed {
		s.passEnd() // MariaDB notes checkpoints between transactions.
	}
	return nil
}

var (
	errNoEnd        = errors.New("a transaction has no end")
	errNoGroup      = errors.New("it is in no transaction")
	errUnknownEvent = errors.New("its type is unknown")
)

// other passes over what says nothing of changes, and over nothing else.
func other(e event) error {
	switch e.kind {
	case kindStop, kindFormat, kindIgnorable, kindRowsQuery, kindContext, kindViewChange, kindAnnotate, kindPrevious,
		kindCheckpoint, kindMariaList, kindEncryption, kindIntVar, kindRand, kindUserVar, kindBeginLoad, kindAppendBlock, kindDeleteFile:
		return nil
	case kindQuery, kindMariaQuery, kindXID, kindTableMap, kindExecuteLoad, kindXAPrepare:
		return errNoGroup
	}
	if e.flags&flagIgnorable != 0 {
		return nil
	}
	return errUnknownEvent
}
