package mirror

import (
	"fmt"
	"strconv"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// The origins of changes.
const (
	// OriginBanyan is a change that came through Banyan: its transaction begins with a writer mark.
	OriginBanyan = "banyan"
	// OriginForeign is any other change.
	OriginForeign = "foreign"
)

// encoder makes messages of changes. Messages are valid until the next one is made.
type encoder struct {
	source string // the CloudEvents source
	term   string
	epoch  uint32
	plans  plans

	tx      change.Transaction
	tail    []byte // what every body of the transaction ends with, from "committed" on
	message change.Message
	body    []byte
	scratch []byte
}

// begin starts a transaction. Its origin is foreign until a mark was seen.
func (e *encoder) begin(tx change.Transaction) {
	e.tx = tx
	e.originate(OriginForeign, "", false)
}

// originate says whose the transaction is, and whether it writes back what a service has.
func (e *encoder) originate(origin, writer string, writeBack bool) {
	e.tail = append(e.tail[:0], `,"origin":"`...)
	t := e.tail
	t = append(t, origin...)
	t = append(t, '"')
	if writer != "" {
		t = append(t, `,"writer":`...)
		t = appendString(t, writer)
	}
	if writeBack {
		t = append(t, `,"writeback":true`...)
	}
	t = append(t, `,"committed":"`...)
	t = e.tx.Committed.UTC().AppendFormat(t, time.RFC3339Nano)
	t = append(t, `","transaction":{"id":`...)
	t = appendString(t, e.tx.ID)
	t = append(t, `,"row":`...)
	e.tail = t
}

// row makes the event of one changed row.
func (e *encoder) row(t *change.Table, op change.Op, row *change.Row, number uint32) (*change.Message, error) {
	p := e.plans.of(t)
	o := p.of(op)
	present := row.After
	if op == change.Delete {
		present = row.Before
	}
	if err := checkImage(t, row); err != nil {
		return nil, err
	}
	b := e.body[:0]
	b = append(b, o.head...)
	b = p.appendKey(b, present)
	if row.Before != nil {
		b = append(b, `,"before":`...)
		b = p.appendRow(b, row.Before)
	}
	if row.After != nil {
		b = append(b, `,"after":`...)
		b = p.appendRow(b, row.After)
	}
	e.body = b
	return e.finish(o.routing, o.kind, number, false), nil
}

// checkImage refuses rows that are not whole.
func checkImage(t *change.Table, row *change.Row) error {
	for _, image := range [...][]change.Value{row.Before, row.After} {
		if image != nil && len(image) != len(t.Columns) {
			return fmt.Errorf("a row of %s.%s has %d values for %d columns", t.Schema, t.Name, len(image), len(t.Columns))
		}
	}
	return nil
}

func (p *plan) appendKey(dst []byte, row []change.Value) []byte {
	if len(p.keys) == 0 {
		return dst
	}
	dst = append(dst, `,"key":{`...)
	for i, label := range p.keys {
		dst = append(dst, label...)
		dst = appendValue(dst, &row[p.table.Key[i]])
	}
	return append(dst, '}')
}

func (p *plan) appendRow(dst []byte, row []change.Value) []byte {
	dst = append(dst, '{')
	for i := range row {
		if p.columns[i] == nil {
			continue
		}
		dst = append(dst, p.columns[i]...)
		dst = appendValue(dst, &row[i])
	}
	return append(dst, '}')
}

// statement makes the event of what happened to a whole table.
func (e *encoder) statement(s *change.Statement) *change.Message {
	o := newOpPlan(s.Op, s.Schema, s.Table)
	b := e.body[:0]
	b = append(b, o.head...)
	var also []string
	if s.ToTable != "" {
		b = append(b, `,"to":{"schema":`...)
		b = appendString(b, s.ToSchema)
		b = append(b, `,"table":`...)
		b = appendString(b, s.ToTable)
		b = append(b, '}')
		also = []string{RoutingKey(s.ToTable, s.Op)}
	}
	// A statement that changed rows has their values, which may be those that events leave out.
	if s.Op != change.Opaque || e.plans.omit == nil {
		b = append(b, `,"statement":`...)
		b = appendString(b, s.SQL)
	}
	e.body = b
	m := e.finish(o.routing, o.kind, s.Row, false)
	m.Also = also
	return m
}

// finish adds what every event has.
func (e *encoder) finish(routing, kind string, number uint32, cascade bool) *change.Message {
	v := change.Version{Epoch: e.epoch, File: e.tx.File, Offset: e.tx.Offset, Row: number, Cascade: cascade}
	e.scratch = v.Append(e.scratch[:0])
	version := string(e.scratch)

	b := e.body
	b = append(b, `,"version":"`...)
	b = append(b, version...)
	b = append(b, '"')
	b = append(b, e.tail...)
	b = strconv.AppendUint(b, uint64(number), 10)
	b = append(b, "}}"...)
	e.body = b

	id := e.scratch[:0]
	id = append(id, e.tx.ID...)
	id = append(id, ':')
	id = strconv.AppendUint(id, uint64(number), 10)
	if cascade {
		id = append(id, 'c')
	}
	e.scratch = id
	e.message = change.Message{
		Key: routing, ID: string(id), Source: e.source, Type: kind, Time: e.tx.Committed,
		Version: version, Term: e.term, Body: e.body,
	}
	return &e.message
}
