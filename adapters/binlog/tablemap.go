package binlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

// table is what a table map event says, ready to read rows with. Its content does not change.
type table struct {
	*change.Table
	inScope bool
	columns []column
	// loaded says that the charsets' tables are there.
	loaded bool
	raw    []byte // the event's body behind id and flags, to notice another
}

// metadata is the optional part of a table map event, of binlog_row_metadata=FULL (mysql/binlog/event/rows_event.h).
type metadata struct {
	signs                   []byte
	charsets, labelCharsets collations
	names                   [][]byte
	enums, sets             [][][]byte
	geometries              []uint64
	key                     []int
}

// collations are those of the columns of a kind: one for each, or a default one with exceptions.
type collations struct {
	each       []uint64
	usual      uint64
	exceptions map[int]uint64
	known      bool
}

func (c *collations) of(i int) (uint64, bool) {
	if i < len(c.each) {
		return c.each[i], true
	}
	if id, ok := c.exceptions[i]; ok {
		return id, true
	}
	return c.usual, c.known && c.each == nil
}

var errMetadata = errors.New("the event has no column names")

// tableMapPrefix is the size of a table map's id and flags: the id has 6 bytes since MySQL 5.1.4.
const tableMapPrefix = 6 + 2

// tableName reads the names that a body behind id and flags begins with.
func tableName(c *cursor) (schema, name []byte) {
	schema = c.bytes(int(c.u8()))
	c.u8()
	name = c.bytes(int(c.u8()))
	c.u8()
	return schema, name
}

// parseTableMap reads the body behind id and flags. Of a table out of scope, it takes what is needed to count rows.
func parseTableMap(body []byte, inScope bool, known *charsets, mariadb bool) (*table, error) {
	t := &table{Table: &change.Table{}, raw: append([]byte(nil), body...), inScope: inScope}
	c := cursor{rest: t.raw} // what the table keeps of it outlives the event
	schema, name := tableName(&c)
	t.Schema, t.Name = string(schema), string(name)
	types := c.bytes(c.count())
	sizes := cursor{rest: c.packedBytes()}
	c.bytes((len(types) + 7) / 8)
	if c.failed {
		return nil, errShort
	}
	t.columns = make([]column, len(types))
	for i, typ := range types {
		if err := t.columns[i].size(typ, &sizes); err != nil {
			return nil, fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	if !inScope {
		return t, nil
	}
	m, err := parseMetadata(&c)
	if err != nil {
		return nil, err
	}
	if len(m.names) != len(types) {
		return nil, fmt.Errorf("table %s.%s: %w", t.Schema, t.Name, errMetadata)
	}
	if err := t.describe(m, known, mariadb); err != nil {
		return nil, fmt.Errorf("table %s.%s: %w", t.Schema, t.Name, err)
	}
	return t, nil
}

func parseMetadata(c *cursor) (*metadata, error) {
	m := &metadata{}
	for len(c.rest) > 0 {
		kind := c.u8()
		field := cursor{rest: c.packedBytes()}
		if c.failed {
			return nil, errShort
		}
		switch kind {
		case replication.TABLE_MAP_OPT_META_SIGNEDNESS:
			m.signs, field.rest = field.rest, nil
		case replication.TABLE_MAP_OPT_META_DEFAULT_CHARSET:
			m.charsets = defaults(&field)
		case replication.TABLE_MAP_OPT_META_COLUMN_CHARSET:
			m.charsets.each = numbers(&field)
		case replication.TABLE_MAP_OPT_META_ENUM_AND_SET_DEFAULT_CHARSET:
			m.labelCharsets = defaults(&field)
		case replication.TABLE_MAP_OPT_META_ENUM_AND_SET_COLUMN_CHARSET:
			m.labelCharsets.each = numbers(&field)
		case replication.TABLE_MAP_OPT_META_COLUMN_NAME:
			for len(field.rest) > 0 {
				m.names = append(m.names, field.packedBytes())
			}
		case replication.TABLE_MAP_OPT_META_SET_STR_VALUE:
			m.sets = labels(&field)
		case replication.TABLE_MAP_OPT_META_ENUM_STR_VALUE:
			m.enums = labels(&field)
		case replication.TABLE_MAP_OPT_META_GEOMETRY_TYPE:
			m.geometries = numbers(&field)
		case replication.TABLE_MAP_OPT_META_SIMPLE_PRIMARY_KEY:
			for _, i := range numbers(&field) {
				m.key = append(m.key, int(min(i, 1<<20)))
			}
		case replication.TABLE_MAP_OPT_META_PRIMARY_KEY_WITH_PREFIX:
			for i, n := range numbers(&field) {
				if i%2 == 0 { // Each is followed by the length of its prefix.
					m.key = append(m.key, int(min(n, 1<<20)))
				}
			}
		}
		if field.failed {
			return nil, errShort
		}
	}
	return m, nil
}

func numbers(c *cursor) []uint64 {
	all := []uint64{}
	for len(c.rest) > 0 {
		all = append(all, c.packed())
	}
	return all
}

func defaults(c *cursor) collations {
	all := collations{known: true, usual: c.packed()}
	for len(c.rest) > 0 {
		if all.exceptions == nil {
			all.exceptions = make(map[int]uint64)
		}
		i := c.packed()
		all.exceptions[int(min(i, 1<<20))] = c.packed()
	}
	return all
}

func labels(c *cursor) [][][]byte {
	var all [][][]byte
	for len(c.rest) > 0 {
		n := c.count()
		one := make([][]byte, 0, n)
		for range n {
			one = append(one, c.packedBytes())
		}
		all = append(all, one)
	}
	return all
}

// describe gives the columns their names, signs, charsets and labels.
func (t *table) describe(m *metadata, known *charsets, mariadb bool) error {
	t.Columns = make([]change.Column, len(t.columns))
	var numeric, character, labelled, enum, set, geometry int
	for i := range t.columns {
		c := &t.columns[i]
		switch {
		case c.numeric():
			c.unsigned = numeric/8 < len(m.signs) && m.signs[numeric/8]&(0x80>>(numeric%8)) != 0
			numeric++
		case c.character(mariadb):
			collation, ok := m.charsets.of(character)
			if !ok {
				return errMetadata
			}
			c.text = known.of(collation)
			character++
		case c.typ == typeEnum || c.typ == typeSet:
			collation, ok := m.labelCharsets.of(labelled)
			if !ok {
				return errMetadata
			}
			labelled++
			from, at := m.enums, &enum
			if c.typ == typeSet {
				from, at = m.sets, &set
			}
			if *at >= len(from) {
				return errMetadata
			}
			c.text, c.names = known.of(collation), from[*at]
			*at++
		}
		if c.typ == typeGeometry {
			if geometry < len(m.geometries) {
				c.geometry = m.geometries[geometry]
			}
			geometry++
		}
		t.Columns[i].Name = string(m.names[i])
	}
	for _, i := range m.key {
		if i >= len(t.columns) {
			return fmt.Errorf("its key has a column %d of %d", i, len(t.columns))
		}
		t.Key = append(t.Key, i)
	}
	return nil
}

// load makes a table ready to be read: charsets that need it are asked for.
func (t *table) load(ctx context.Context, from *Source) error {
	if t.loaded || !t.inScope {
		return nil
	}
	if err := t.checkOldTimes(ctx, from); err != nil {
		return err
	}
	for i := range t.columns {
		c := &t.columns[i]
		if err := c.text.load(ctx, from); err != nil {
			return err
		}
		if c.names != nil {
			c.label()
		}
		t.Columns[i].Type = c.ddl()
	}
	t.loaded = true
	return nil
}
