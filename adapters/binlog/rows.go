package binlog

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

// rowsEvent is a rows event's header.
type rowsEvent struct {
	op      change.Op
	table   uint64
	columns int
	before  []byte // which columns the images have, a bit for each; of an insert, after is the one
	after   []byte
	images  []byte
}

var (
	errImage       = errors.New("the event has some of the columns only")
	errColumns     = errors.New("the event has not the columns that its table map has")
	errUnknownRows = errors.New("it is a rows event of an unknown kind")
)

// rowsKind gives a rows event's operation and format; version -1 is no rows event.
func rowsKind(kind replication.EventType) (op change.Op, version int, compressed bool) {
	switch kind {
	case replication.WRITE_ROWS_EVENTv1:
		return change.Insert, 1, false
	case replication.UPDATE_ROWS_EVENTv1:
		return change.Update, 1, false
	case replication.DELETE_ROWS_EVENTv1:
		return change.Delete, 1, false
	case replication.WRITE_ROWS_EVENTv2:
		return change.Insert, 2, false
	case replication.UPDATE_ROWS_EVENTv2:
		return change.Update, 2, false
	case replication.DELETE_ROWS_EVENTv2:
		return change.Delete, 2, false
	case kindMariaInsert1:
		return change.Insert, 1, true
	case kindMariaUpdate1:
		return change.Update, 1, true
	case kindMariaDelete1:
		return change.Delete, 1, true
	case kindMariaInsert2:
		return change.Insert, 2, true
	case kindMariaUpdate2:
		return change.Update, 2, true
	case kindMariaDelete2:
		return change.Delete, 2, true
	}
	return "", -1, false
}

// parseRows reads the header (MySQL Internals, "Rows_event"); table ids have 6 bytes since MySQL 5.1.4.
func parseRows(e event) (rowsEvent, error) {
	op, version, compressed := rowsKind(e.kind)
	if version < 0 {
		return rowsEvent{}, errUnknownRows
	}
	c := cursor{rest: e.body}
	r := rowsEvent{op: op, table: c.little(6)}
	c.bytes(2)
	if version == 2 {
		c.bytes(int(c.little(2)) - 2)
	}
	r.columns = int(min(c.packed(), 1<<16))
	size := (r.columns + 7) / 8
	r.before = c.bytes(size)
	r.after = r.before
	if op == change.Update {
		r.after = c.bytes(size)
	}
	if c.failed {
		return r, errShort
	}
	r.images = c.rest
	if compressed {
		var err error
		if r.images, err = inflate(c.rest); err != nil {
			return r, err
		}
	}
	return r, nil
}

func full(bitmap []byte, n int) bool {
	for i := range n {
		if bitmap == nil || bitmap[i/8]>>(i%8)&1 == 0 {
			return false
		}
	}
	return true
}

// maxInflated is more than an event can have: max_allowed_packet is at most 1 GiB.
const maxInflated = 1<<30 + 1<<20

// inflate undoes MariaDB's log_bin_compress: a byte with the size of the length, the length, and zlib's stream.
func inflate(data []byte) ([]byte, error) {
	c := cursor{rest: data}
	n := c.big(int(c.u8() & 7))
	if c.failed || n > maxInflated {
		return nil, errShort
	}
	reader, err := zlib.NewReader(bytes.NewReader(c.rest))
	if err != nil {
		return nil, fmt.Errorf("inflate it: %w", err)
	}
	defer reader.Close() //nolint:errcheck // It holds nothing.
	// The length is not believed before the data is there.
	var out bytes.Buffer
	out.Grow(int(min(n, 1<<20)))
	if _, err := io.CopyN(&out, reader, int64(n)); err != nil {
		return nil, fmt.Errorf("inflate it: %w", err)
	}
	return out.Bytes(), nil
}

// decoder reads row images. What it gives is valid until its next use.
type decoder struct {
	arena  arena
	values []change.Value
	rows   []change.Row
}

// decode reads all rows of an event.
func (d *decoder) decode(t *table, r rowsEvent) ([]change.Row, error) {
	d.arena.reset()
	d.values, d.rows = d.values[:0], d.rows[:0]
	c := cursor{rest: r.images}
	if len(t.columns) == 0 || r.columns != len(t.columns) {
		return nil, errColumns
	}
	if !full(r.before, r.columns) || !full(r.after, r.columns) {
		return nil, errImage
	}
	for len(c.rest) > 0 {
		var row change.Row
		var err error
		if r.op != change.Insert {
			if row.Before, err = d.image(t, &c); err != nil {
				return nil, err
			}
		}
		if r.op != change.Delete {
			if row.After, err = d.image(t, &c); err != nil {
				return nil, err
			}
		}
		d.rows = append(d.rows, row)
	}
	return d.rows, nil
}

// misread adds what makes values have another size than the log says.
func (t *table) misread(err error) error {
	old := func(c column) bool { return c.typ == typeTime || c.typ == typeDatetime || c.typ == typeTimestamp }
	if errors.Is(err, errShort) && slices.ContainsFunc(t.columns, old) {
		return fmt.Errorf("%w; if a column of times is meant, %w", err, errOldTime)
	}
	return err
}

func (d *decoder) image(t *table, c *cursor) ([]change.Value, error) {
	nulls := c.bytes((len(t.columns) + 7) / 8)
	if c.failed {
		return nil, t.misread(errShort)
	}
	start := len(d.values)
	for i := range t.columns {
		if nulls[i/8]>>(i%8)&1 != 0 {
			d.values = append(d.values, change.Value{Kind: change.Null})
			continue
		}
		v, err := t.columns[i].read(c, &d.arena)
		if err == nil {
			err = c.err()
		}
		if err != nil {
			return nil, fmt.Errorf("column %s of %s.%s: %w", t.Columns[i].Name, t.Schema, t.Name, t.misread(err))
		}
		d.values = append(d.values, v)
	}
	return d.values[start:len(d.values):len(d.values)], nil
}

// count gives the number of an event's rows.
func count(t *table, r rowsEvent) (uint32, error) {
	if len(t.columns) == 0 || r.columns != len(t.columns) {
		return 0, errColumns
	}
	var n uint32
	for c := (cursor{rest: r.images}); len(c.rest) > 0; n++ {
		before := len(c.rest)
		skipImage(t, &c, r.before)
		if r.op == change.Update {
			skipImage(t, &c, r.after)
		}
		if c.failed || len(c.rest) == before {
			return 0, errShort
		}
	}
	return n, nil
}

func skipImage(t *table, c *cursor, present []byte) {
	size := 0
	for _, b := range present {
		size += bits.OnesCount8(b)
	}
	nulls := c.bytes((size + 7) / 8)
	if c.failed {
		return
	}
	at := 0
	for i := range t.columns {
		if present[i/8]>>(i%8)&1 == 0 {
			continue
		}
		if nulls[at/8]>>(at%8)&1 == 0 {
			t.columns[i].skip(c)
		}
		at++
	}
}
