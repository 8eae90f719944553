package binlog

import (
	"context"
	"errors"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// query is a statement's text with what it depends on.
type query struct {
	schema string
	text   string
	client *charset // what the text is in
	ansi   bool     // double quotes are around names
	plain  bool     // a backslash in a string is nothing special
}

// Status variables of a query event (mysql/binlog/event/statement_events.h).
const (
	statusFlags   = 0
	statusSQLMode = 1
	statusCatalog = 6
	statusAuto    = 3
	statusCharset = 4

	modeANSIQuotes = 4
	modeNoEscapes  = 1 << 20
)

func (s *stream) parseQuery(e event) (query, error) {
	c := cursor{rest: e.body}
	c.bytes(8)
	schema := int(c.u8())
	c.bytes(2)
	status := cursor{rest: c.bytes(int(c.little(2)))}
	q := query{schema: string(c.bytes(schema))}
	c.u8()
	if c.failed {
		return q, errShort
	}
	text := c.rest
	if e.kind == kindMariaQuery {
		var err error
		if text, err = inflate(text); err != nil {
			return q, err
		}
	}
	q.text = string(text)
	for len(status.rest) > 0 {
		switch status.u8() {
		case statusFlags, statusAuto:
			status.bytes(4)
			continue
		case statusSQLMode:
			mode := status.little(8)
			q.ansi, q.plain = mode&modeANSIQuotes != 0, mode&modeNoEscapes != 0
			continue
		case statusCatalog:
			status.bytes(int(status.u8()))
			continue
		case statusCharset:
			q.client = s.charsets.of(status.little(2))
		}
		break // What comes behind the charset says nothing of the text.
	}
	return q, nil
}

// readable makes UTF-8 of the text, which is in the client's charset.
func (q *query) readable(ctx context.Context, from *Source) error {
	if q.client == nil || isASCII([]byte(q.text)) {
		return nil
	}
	if err := q.client.load(ctx, from); err != nil {
		return passing(err)
	}
	var own arena
	q.text = string(q.client.read([]byte(q.text), &own).Text) // As it is where it is no text.
	return nil
}

// query takes a statement's text: the beginning or end of a group, or what changes whole tables.
func (s *stream) query(ctx context.Context, e event) error {
	q, err := s.parseQuery(e)
	if err == nil {
		err = q.readable(ctx, s.src)
	}
	if err != nil {
		return err
	}
	said := statementOf(q)
	if s.current.decided && (said.meaning == meansXAStart || said.meaning == meansUndo) {
		return nil
	}
	switch said.meaning {
	case meansBegin:
		s.current.open = true
		return nil
	case meansXAStart:
		s.current.open = true
		if s.as == nil {
			s.current.ahead = &ahead{prepared: true}
		}
		return nil
	case meansCommit:
		s.leave()
		return nil
	case meansUndo, meansRollback:
		if s.current.row > 0 && !s.current.decided {
			// Only where MySQL's GTIDs are not enforced.
			return errUndone
		}
		if said.meaning == meansRollback {
			s.leave()
		}
		return nil
	case meansXACommit:
		return s.commitXA(ctx, said.name)
	case meansXARollback:
		s.rollbackXA(said.name)
		return nil
	case meansStatements:
		s.statements(q, said)
	}
	if !s.current.open {
		s.leave()
	}
	return nil
}

// errUndone says that rows were given which did not happen.
var errUndone = errors.New("it undoes changes of tables with and without transactions")

// load is LOAD DATA that was logged as text.
func (s *stream) load(ctx context.Context, e event) error {
	// Between the status variables' size and the variables there are the file's number, two offsets and a flag.
	const fixed, more = 4 + 4 + 1 + 2 + 2, 4 + 4 + 4 + 1
	if len(e.body) < fixed+more {
		return errShort
	}
	e.body = append(append([]byte(nil), e.body[:fixed]...), e.body[fixed+more:]...)
	q, err := s.parseQuery(e)
	if err == nil {
		err = q.readable(ctx, s.src)
	}
	if err != nil {
		return err
	}
	s.statements(q, statementOf(q))
	return nil
}

// statements gives those in scope; all are counted.
func (s *stream) statements(q query, said statement) {
	if s.current.half {
		return // The other half of a two-phase ALTER says the same, once it is done.
	}
	s.statement = s.statement[:0]
	for _, e := range said.events {
		s.current.row++
		if s.found.lower {
			e.Schema, e.Table = strings.ToLower(e.Schema), strings.ToLower(e.Table)
			e.ToSchema, e.ToTable = strings.ToLower(e.ToSchema), strings.ToLower(e.ToTable)
		}
		if s.inScope(e) {
			e.SQL, e.Row = q.text, s.current.row
			s.statement = append(s.statement, e)
		}
	}
	for i := range s.statement {
		s.give(&s.statement[i])
	}
}

func (s *stream) inScope(e change.Statement) bool {
	scope := s.src.opt.Scope
	switch {
	case e.Op == change.Rename:
		return scope(e.Schema, e.Table) || scope(e.ToSchema, e.ToTable)
	case e.Table != "":
		return scope(e.Schema, e.Table)
	case e.Schema == "" || scope(e.Schema, ""):
		return true
	}
	for _, t := range s.byName {
		if t.inScope && t.Schema == e.Schema {
			return true
		}
	}
	return false
}
