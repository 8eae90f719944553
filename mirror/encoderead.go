package mirror

import (
	"strconv"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// chunkRows are events of rows that were read in one snapshot, ready to be sent.
type chunkRows struct {
	// version is that of all of them.
	version change.Version
	read    time.Time
	// job is the id of the backfill, first the number of the first row in it, counted from 0.
	job   uint64
	first uint64

	routing, kind string
	bodies        []byte
	ends          []int // of each body
	text          string
}

// add appends the event of a row. Its version is that of the snapshot's place in the log, before all changes behind it.
func (c *chunkRows) add(p *plan, row []change.Value) error {
	if err := checkImage(p.table, &change.Row{After: row}); err != nil {
		return err
	}
	if c.text == "" {
		c.text, c.routing, c.kind = c.version.String(), p.read.routing, p.read.kind
	}
	b := c.bodies
	b = append(b, p.read.head...)
	b = p.appendKey(b, row)
	b = append(b, `,"after":`...)
	b = p.appendRow(b, row)
	b = append(b, `,"version":"`...)
	b = append(b, c.text...)
	b = append(b, `","read":"`...)
	b = c.read.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","backfill":{"id":`...)
	b = strconv.AppendUint(b, c.job, 10)
	b = append(b, `,"row":`...)
	b = strconv.AppendUint(b, c.first+uint64(len(c.ends))+1, 10)
	b = append(b, "}}"...)
	c.bodies = b
	c.ends = append(c.ends, len(c.bodies))
	return nil
}

// message gives the event of a row, by its number in the chunk. It is valid until the next one is asked for.
func (c *chunkRows) message(e *encoder, i int) *change.Message {
	begin := 0
	if i > 0 {
		begin = c.ends[i-1]
	}
	id := e.scratch[:0]
	id = append(id, "read-"...)
	id = strconv.AppendUint(id, c.job, 10)
	id = append(id, ':')
	id = append(id, c.text...)
	id = append(id, ':')
	id = strconv.AppendUint(id, c.first+uint64(i)+1, 10) //nolint:gosec // It counts rows.
	e.scratch = id
	e.message = change.Message{
		Key: c.routing, ID: string(id), Source: e.source, Type: c.kind, Time: c.read, Version: c.text, Term: e.term, Body: c.bodies[begin:c.ends[i]],
	}
	return &e.message
}
