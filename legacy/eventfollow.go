package legacy

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror/change"
)

// Follow finds the entities that rows are part of by way of others. Table is the index in Event.Tables of the rows' table, of which
// there are Steps; Value is what a row's column has: digits of a number, a text, or bytes. Where Table is Itself, Value is an id,
// which leads to itself as the entity's row has it.
type Follow struct {
	Event *Event
	Table int
	Value string
}

// Itself stands for a table whose rows have ids, in any spelling.
const Itself = -1

// Steps is how many other tables a table's rows lead over to come to the entity's id: 0 where they have it. A text leads to it over
// the first table, where it may be spelled in another way. The event has to be verified.
func (e *Event) Steps(table int) (n int) {
	for by := e.by(table); by != nil; by = e.by(by.Table) {
		n++
	}
	return n
}

// Spelled says whether ids can be spelled in several ways. The event has to be verified.
func (e *Event) Spelled() bool { return e.spelling != nil }

// by gives how a table's rows lead on; nil where they have the id.
func (e *Event) by(table int) *EventBy {
	if table == Itself {
		return e.spelling
	}
	if t := &e.Tables[table]; t.By != nil || !t.loose {
		return t.By
	}
	return e.spelling
}

// followAtOnce is how many values one query looks up. Smaller numbers are rounded up to powers of two, so that few texts are
// prepared.
const followAtOnce = 512

// Follow gives the id of the entity that each value leads to, "" where it leads to none, in one consistent snapshot that contains
// every transaction before a place in the server's log. It asks once for each table and followAtOnce values. Errors are as
// those of Snapshot.
func (b *Backend) Follow(ctx context.Context, at change.Position, all []Follow) (ids []string, err error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release() // ends the snapshot
	if err := b.contain(ctx, conn, at); err != nil {
		return nil, err
	}
	type group struct {
		event *Event
		table int
	}
	places := map[group]map[string][]int{} // where each value stands in all
	var order []group
	for i, f := range all {
		g := group{f.Event, f.Table}
		if places[g] == nil {
			places[g] = map[string][]int{}
			order = append(order, g)
		}
		places[g][f.Value] = append(places[g][f.Value], i)
	}
	ids = make([]string, len(all))
	for _, g := range order {
		values := make([]string, 0, len(places[g]))
		for value := range places[g] {
			values = append(values, value)
		}
		slices.Sort(values) // neighbours in the index
		for some := range slices.Chunk(values, followAtOnce) {
			found := func(value, id string) {
				for _, i := range places[g][value] {
					ids[i] = id
				}
			}
			if err := g.event.follow(ctx, conn, g.table, some, found); err != nil {
				return nil, fmt.Errorf("find the %s that rows of %s are part of: %w", g.event.Entity.Name(), g.event.Tables[max(g.table, 0)].name(), err)
			}
		}
	}
	return ids, nil
}

// follow looks values up, each of them once.
func (e *Event) follow(ctx context.Context, conn *pool.Conn, table int, values []string, found func(value, id string)) error {
	if e.by(table).kind != byText {
		return e.lookUp(ctx, conn, table, values, false, func(row []driver.Value) {
			if row[1] != nil {
				found(text(row[0]), text(row[1]))
			}
		})
	}
	// Which of several texts a key is equal to, the collation says: the server tells the first of them. Those that are equal to it
	// are looked up among what is left, until nothing more is found, which most times is the second time.
	for len(values) > 0 {
		hits := map[int]bool{}
		err := e.lookUp(ctx, conn, table, values, true, func(row []driver.Value) {
			n := int(number(row[0]))
			if n < 1 || n > len(values) {
				return
			}
			hits[n-1] = true
			if row[1] != nil {
				found(values[n-1], text(row[1]))
			}
		})
		if err != nil || len(hits) == 0 {
			return err
		}
		var left []string
		for n, value := range values {
			if !hits[n] {
				left = append(left, value)
			}
		}
		values = left
	}
	return nil
}

// lookUp asks for rows whose key is one of some values, and gives the key, or the place of the value counted from 1, and the
// id, which may be NULL.
func (e *Event) lookUp(ctx context.Context, conn *pool.Conn, table int, values []string, places bool, use func(row []driver.Value)) error {
	size := 1
	for size < len(values) {
		size *= 2
	}
	args := make([]driver.Value, 0, 2*size)
	marks := make([]string, 0, size)
	for i := range size {
		arg, mark := e.argument(table, values[min(i, len(values)-1)])
		args, marks = append(args, arg), append(marks, mark)
	}
	list := strings.Join(marks, ", ")
	key, id, from := e.chain(table)
	first := key
	if places {
		first = "FIELD(" + key + ", " + list + ")"
		args = append(args, args...)
	}
	if err := scan(ctx, conn, "SELECT "+first+", "+id+" FROM "+from+" WHERE "+key+" IN ("+list+")", args, use); err != nil {
		return asError(err)
	}
	return nil
}

// chain gives the tables that a table's rows lead over, joined, with the key of the first and the id of the last.
func (e *Event) chain(table int) (key, id, from string) {
	var sb strings.Builder
	by := e.by(table)
	for n := 1; by != nil; n++ {
		next, alias := &e.Tables[by.Table], "t"+strconv.Itoa(n)
		if n == 1 {
			key = alias + "." + quoted(by.Column)
			sb.WriteString(next.quoted() + " " + alias)
		} else {
			sb.WriteString(" JOIN " + next.quoted() + " " + alias + " ON " + alias + "." + quoted(by.Column) + " = " + id)
		}
		id = alias + "." + quoted(next.Column)
		by = e.by(by.Table)
	}
	return key, id, sb.String()
}

// argument gives a value as the key's type, so that its index is used, and the placeholder for it.
func (e *Event) argument(table int, value string) (driver.Value, string) {
	switch e.by(table).kind {
	case byNumber:
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			return n, "?"
		}
		if n, err := strconv.ParseUint(value, 10, 64); err == nil {
			return n, "?"
		}
		return value, "CAST(? AS DECIMAL(65))"
	case byBytes:
		return []byte(value), "?"
	default:
		return value, "?"
	}
}

// byKind is what the values are that lead from table to table.
type byKind int

const (
	byText byKind = iota
	byNumber
	byBytes
)
