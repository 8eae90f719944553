package binlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"banyan.dev/banyan/mirror/change"
)

// maxTables bounds how many tables are known at a time: those that are gone are among them.
const maxTables = 20_000

// tableMap keeps what rows of a table look like. A table that has not changed stays the same.
func (s *stream) tableMap(ctx context.Context, e event) error {
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
	key := body[:len(body)-len(c.rest)]
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
		if err := t.load(ctx, s.src); err != nil {
			return passing(err)
		}
		known = t
		if len(s.byName) >= maxTables {
			clear(s.byName)
		}
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
		if r.table == dummyTable {
			return nil
		}
		return fmt.Errorf("rows of the table %d, whose map is missing", r.table)
	}
	if !t.inScope || s.current.plan.undone(e.ordinal) {
		n, err := count(t, r)
		s.current.row += n
		return err
	}
	rows, err := s.decoder.decode(t, r)
	if errors.Is(err, errImage) {
		return &change.StopError{
			What: fmt.Sprintf("the log at %s has some columns only of rows of %s.%s", s.place.position(""), t.Schema, t.Name),
			Fix:  "SET GLOBAL binlog_row_image = FULL; sessions keep their own until they end; then `banyan mirror reset`", Cause: err,
		}
	}
	if err != nil || len(rows) == 0 {
		return err
	}
	s.rows = change.Rows{Table: t.Table, Op: r.op, First: s.current.row + 1, Rows: rows}
	s.current.row += uint32(len(rows)) //nolint:gosec // An event has at most 1 GiB.
	s.give(&s.rows)
	return nil
}

// dummyTable is the id in an event that has no rows and only ends a statement.
const dummyTable = 0xffffff
