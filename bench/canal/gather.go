package canal

import (
	"context"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/canal"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// gatherer gathers the keys of what a transaction has changed.
type gatherer struct {
	canal.DummyEventHandler
	ctx     context.Context // canal's handlers get none
	waiting chan gathered
	now     gathered
}

// gathered is what one transaction has changed, and the position behind it.
type gathered struct {
	gtid      string
	committed time.Time
	orders    []int64
	gone      map[int64]bool // orders whose own row was deleted
	lines     []int64        // whose notes have changed: the log doesn't tell their orders
	position  Position
}

// OnGTID begins a transaction.
func (g *gatherer) OnGTID(_ *replication.EventHeader, event mysql.BinlogGTIDEvent) error {
	set, err := event.GTIDNext()
	if err != nil {
		return err
	}
	g.now = gathered{gtid: set.String()}
	return nil
}

// OnRow takes the keys of rows as they were and as they are.
func (g *gatherer) OnRow(e *canal.RowsEvent) error {
	g.now.committed = time.Unix(int64(e.Header.Timestamp), 0)
	column, keys := 0, &g.now.orders
	switch e.Table.Name {
	case "order_lines":
		column = e.Table.FindColumn("order_id")
	case "line_notes":
		column, keys = e.Table.FindColumn("line_id"), &g.now.lines
	}
	for _, row := range e.Rows {
		key, ok := row[column].(int64)
		if !ok {
			return fmt.Errorf("a %T is no key of %s", row[column], e.Table.Name)
		}
		add(keys, key)
		if e.Table.Name == "orders" {
			if g.now.gone == nil {
				g.now.gone = map[int64]bool{}
			}
			g.now.gone[key] = e.Action == canal.DeleteAction
		}
	}
	return nil
}

// add adds a key that is not the last one: rows of one order follow each other.
func add(keys *[]int64, key int64) {
	if n := len(*keys); n == 0 || (*keys)[n-1] != key {
		*keys = append(*keys, key)
	}
}

// OnPosSynced passes on what a transaction has changed, where it ends.
func (g *gatherer) OnPosSynced(header *replication.EventHeader, at mysql.Position, _ mysql.GTIDSet, _ bool) error {
	if header == nil {
		return nil // canal is being closed, beside the reading
	}
	g.now.position = Position{File: at.Name, Offset: uint64(at.Pos)}
	select {
	case g.waiting <- g.now:
		g.now = gathered{}
		return nil
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
}
