package binlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

// stream is a change.Stream: it follows the groups of events that a log is made of.
type stream struct {
	src      *Source
	found    server
	id       uint32
	charsets *charsets
	link     *link
	failed   error

	place    place
	gtids    *gtids
	checksum bool
	heard    bool // an event of the log itself
	tables   map[uint64]*table
	byName   map[string]*table
	decoder  decoder

	// Of the group that is being read.
	in, open, begun bool
	group           group
	transaction     change.Transaction
	row             uint32

	// What Next gives, and what it is made in.
	queue     []change.Event
	begin     change.Begin
	rows      change.Rows
	statement []change.Statement
	end       change.End
}

// Server identifies the server that is read.
func (s *stream) Server() string { return s.found.identity }

// Close ends the stream. A waiting Next returns.
func (s *stream) Close() error {
	s.link.close()
	return nil
}

// Next gives the next event.
func (s *stream) Next(ctx context.Context) (change.Event, error) {
	for len(s.queue) == 0 {
		if s.failed != nil {
			return nil, s.failed
		}
		if err := s.step(ctx); err != nil {
			s.failed = judge(err)
		}
	}
	next := s.queue[0]
	s.queue = s.queue[1:]
	return next, nil
}

// step reads one event of the log and queues what it gives.
func (s *stream) step(ctx context.Context) error {
	s.queue = s.queue[:0]
	raw, err := s.link.stream.GetEvent(ctx)
	if err != nil {
		return fmt.Errorf("read the legacy's log: %w", err)
	}
	if format, ok := raw.Event.(*replication.FormatDescriptionEvent); ok {
		s.checksum = format.ChecksumAlgorithm == replication.BINLOG_CHECKSUM_ALG_CRC32
	}
	e, err := parseEvent(raw.RawData, s.checksum)
	if err != nil {
		return malformed(s.place.position(""), "an event", err)
	}
	return s.take(e)
}

// take follows the place and handles an event.
func (s *stream) take(e event) error {
	at := s.place.position("")
	if e.kind == kindRotate {
		return s.rotate(e)
	}
	if e.kind == kindHeartbeat || e.kind == kindHeartbeat2 {
		return nil
	}
	start := s.place.pass(e)
	if e.flags&flagArtificial == 0 && !s.heard && e.kind != kindFormat {
		s.heard = true
		s.link.heard(s.src.opt.ReadTimeout)
	}
	err := s.handle(e, start)
	if err == nil || change.Stops(err) != nil {
		return err
	}
	return malformed(at, fmt.Sprintf("an event of type %d", e.kind), err)
}

func (s *stream) rotate(e event) error {
	c := cursor{rest: e.body}
	offset := c.little(8)
	if c.failed {
		return malformed(s.place.position(""), "a rotate event", errShort)
	}
	file := string(c.rest)
	if s.place.file == file && s.place.offset > offset {
		return nil // What is sent at the beginning is for the file's first 4 GiB.
	}
	moved := s.place.file != file
	if err := s.place.enter(file, offset); err != nil {
		return malformed(s.place.position(""), "a rotate event", err)
	}
	s.tables = make(map[uint64]*table)
	if s.byName == nil {
		s.byName = make(map[string]*table)
	}
	if moved && s.heard {
		s.passEnd()
	}
	return nil
}

// handle takes an event of the log itself.
func (s *stream) handle(e event, start uint64) error {
	switch e.kind {
	case kindMariaGTID:
		g, err := parseMariaGTID(e, e.server)
		if err != nil {
			return err
		}
		s.enter(g, start)
		s.open = !g.standalone
		return nil
	case kindGTID, kindTagged, kindAnonymous:
		g, err := parseGTID(e)
		if errors.Is(err, errNoGTID) {
			return &change.StopError{
				What: fmt.Sprintf("a transaction at %s has no GTID", s.place.position("")),
				Fix:  "SET GLOBAL enforce_gtid_consistency = ON; then SET GLOBAL gtid_mode = OFF_PERMISSIVE, ON_PERMISSIVE and ON, one after another; then `banyan mirror reset`",
			}
		}
		if err != nil {
			return err
		}
		s.enter(g, start)
		return nil
	case kindQuery, kindMariaQuery:
		return s.query(e)
	case kindXID:
		s.leave()
		return nil
	case kindTableMap:
		return s.tableMap(e)
	case kindPartial:
		return &change.StopError{
			What: fmt.Sprintf("the log at %s has parts of JSON values only", s.place.position("")),
			Fix:  "SET GLOBAL binlog_row_value_options = ''; sessions keep their own until they end; then `banyan mirror reset`", Cause: errPartialJSON,
		}
	case kindIncident:
		return &change.StopError{What: fmt.Sprintf("the legacy itself lost changes on their way to its log before %s", s.place.position("")), Fix: resetFix}
	}
	if _, version, _ := rowsKind(e.kind); version > 0 {
		return s.rowsEvent(e)
	}
	return s.other(e)
}

// other passes over what says nothing of changes, and over nothing else.
func (*stream) other(e event) error {
	switch e.kind {
	case kindStop, kindFormat, kindIgnorable, kindRowsQuery, kindPrevious, kindContext, kindViewChange, kindAnnotate,
		kindCheckpoint, kindMariaList, kindEncryption, kindIntVar, kindRand, kindUserVar, kindBeginLoad, kindAppendBlock, kindDeleteFile:
		return nil
	}
	if e.flags&flagIgnorable != 0 {
		return nil
	}
	return fmt.Errorf("its type is unknown")
}

// enter begins a group.
func (s *stream) enter(g group, start uint64) {
	s.in, s.open, s.begun, s.row = true, false, false, 0
	s.group = g
	s.transaction = change.Transaction{ID: g.id(), File: s.place.number, Offset: start, Committed: g.committed}
	clear(s.tables)
}

// give queues an event of the group, behind its Begin.
func (s *stream) give(e change.Event) {
	if !s.begun {
		s.begun = true
		s.begin.Transaction = s.transaction
		s.queue = append(s.queue, &s.begin)
	}
	s.queue = append(s.queue, e)
}

// leave ends a group.
func (s *stream) leave() {
	if s.in {
		s.gtids.pass(&s.group)
	}
	s.in, s.open, s.begun = false, false, false
	s.passEnd()
}

func (s *stream) passEnd() {
	s.end.Next = s.place.position(s.gtids.String())
	s.queue = append(s.queue, &s.end)
}

func (s *stream) tableMap(e event) error {
	if len(e.body) < tableMapPrefix {
		return errShort
	}
	c := cursor{rest: e.body}
	id := c.little(6)
	body := e.body[tableMapPrefix:]
	c = cursor{rest: body}
	schema, name := tableName(&c)
	if c.failed {
		return errShort
	}
	key := body[:len(schema)+len(name)+2]
	known := s.byName[string(key)]
	if known == nil || !bytes.Equal(known.raw, body) {
		t, err := parseTableMap(body, s.src.opt.Scope(string(schema), string(name)), s.charsets, s.found.mariadb)
		if errors.Is(err, errMetadata) {
			return &change.StopError{
				What: fmt.Sprintf("the log at %s has no column names", s.place.position("")),
				Fix:  "SET GLOBAL binlog_row_metadata = FULL; set it in the server's configuration, too; then `banyan mirror reset`", Cause: err,
			}
		}
		if err != nil {
			return err
		}
		known = t
		s.byName[string(key)] = t
	}
	s.tables[id] = known
	return nil
}

func (s *stream) rowsEvent(e event) error {
	r, err := parseRows(e)
	if err != nil {
		return err
	}
	t := s.tables[r.table]
	if t == nil {
		return fmt.Errorf("rows of the table %d, whose map is missing", r.table)
	}
	if !t.inScope {
		n, err := count(t, r)
		s.row += n
		return err
	}
	rows, err := s.decoder.decode(t, r)
	if errors.Is(err, errImage) {
		return &change.StopError{
			What: fmt.Sprintf("the log at %s has some columns only of rows of %s.%s", s.place.position(""), t.Schema, t.Name),
			Fix:  "SET GLOBAL binlog_row_image = FULL; sessions keep their own until they end; then `banyan mirror reset`", Cause: err,
		}
	}
	if err != nil {
		return err
	}
	s.rows = change.Rows{Table: t.Table, Op: r.op, First: s.row + 1, Rows: rows}
	s.row += uint32(len(rows)) //nolint:gosec // An event has at most 1 GiB.
	s.give(&s.rows)
	return nil
}
