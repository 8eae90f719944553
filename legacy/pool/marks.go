package pool

import (
	"context"
	"database/sql/driver"
	"fmt"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// Marker gives the mark that each write transaction begins with: an UPDATE of one row that is this replica's, as its first
// change. It tells whoever reads the server's log whose the transaction is; and whoever takes the row away stops this
// replica's writes, those of transactions that have marked already excepted: he waits for them. It may be called
// concurrently.
//
// A stored procedure that commits ends its transaction and with it the mark: what comes behind is unmarked.
type Marker interface {
	// Slots counts the rows, and doesn't change. As a row is locked until its transaction ends, each connection has one of
	// its own; with more than there are connections, the row of a transaction whose connection was lost is left alone for a while.
	Slots() int
	// Mark gives the statement for a slot from 0 to Slots-1, and arguments as Conn.Query's. It must match exactly one row.
	Mark(slot int) (sql string, args []driver.Value)
}

// WritesFenced is the reason of errors that tell of a replica that may not write.
const WritesFenced = "WRITES_FENCED"

// slots are those that no connection has, the longest unused first.
type slots []int

func newSlots(n int) slots {
	free := make(slots, n)
	for i := range free {
		free[i] = i
	}
	return free
}

func (s *slots) take() (slot int) {
	slot = (*s)[0]
	*s = (*s)[1:]
	return slot
}

func (s *slots) giveBack(slot int) { *s = append(*s, slot) }

// Marks tells whether write transactions begin with a mark.
func (p *Pool) Marks() bool { return p.options.Marker != nil }

// BeginWrite begins a transaction that changes rows, and marks it where Options.Marker is set. It changes nothing when it
// fails: with UNAVAILABLE and reason WRITES_FENCED where there is no mark for this replica.
func (c *Conn) BeginWrite(ctx context.Context) error {
	if err := c.Command(ctx, "START TRANSACTION"); err != nil || c.pool.options.Marker == nil {
		return err
	}
	err := c.Mark(ctx)
	if err != nil && !c.lost && c.Rollback(ctx) != nil {
		c.lost = true // closing ends the transaction, too
	}
	return err
}

// Mark makes the mark, where Options.Marker is set, in the transaction that was begun, or else by itself: before changes
// that the server takes in no transaction with it, so that at least nothing new is begun without a mark. Its errors are
// BeginWrite's.
func (c *Conn) Mark(ctx context.Context) error {
	if c.pool.options.Marker == nil {
		return nil
	}
	sql, args := c.pool.options.Marker.Mark(c.session.slot)
	done, err := c.Exec(ctx, sql, args)
	switch {
	case isNumber(err, 1044, 1049, 1054, 1142, 1143, 1146): // the table can't be had
		return fenced(fmt.Errorf("the writer's mark can't be made: %w", err))
	case err == nil && done.RowsMatched != 1:
		return fenced(fmt.Errorf("the writer's mark matched %d rows: this replica's rows were removed, given to another, or never made", done.RowsMatched))
	}
	return err
}

func fenced(cause error) *strangler.Error {
	return strangler.Fail(codes.Unavailable, WritesFenced, "this replica may not change the legacy database now, and has changed nothing; try again, another one may answer").
		WithRetry(retryLater).WithCause(cause)
}
