// Package oldshop goes on writing to the example's tables directly, as the old application does beside Banyan: it places
// orders, moves them on, edits the catalogue, registers customers and touches sessions, in its own way with transactions.
//
// It is the foreign writer of demos and tests. It owns no tables: those are package schema's, and what they begin with
// is package generate's.
package oldshop

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/examples/shop/schema"
)

// Options say what the old shop does, and how fast.
type Options struct {
	// Seed chooses the actions and what they pick.
	Seed uint64
	// Rate is how many actions there are in a second; by default 5. A negative rate is as fast as the server can.
	Rate float64
	// Actions ends the run after so many; 0 goes on until ctx ends.
	Actions int
	// Without are actions that it leaves out.
	Without []Action
	// Pause is how long to wait before an action is tried again after the server was gone or busy; by default 500 ms.
	Pause time.Duration
	// Log gets failures; by default there is none.
	Log *slog.Logger
	// Done, if set, is told of each attempt at an action, on Run's goroutine. The error is nil when it was done.
	Done func(Action, error)
}

// Action is something that the old shop does.
type Action string

// What the old shop does.
const (
	PlaceOrder   Action = "place order"
	MoveOrder    Action = "move order"
	CancelOrder  Action = "cancel order"
	EditProduct  Action = "edit product"
	Restock      Action = "restock"
	Register     Action = "register customer"
	EditCustomer Action = "edit customer"
	Browse       Action = "browse"
)

// Run works until ctx ends or Options.Actions are done, and then gives nil. While the server is gone it logs that, and
// tries again; what the tables refuse it logs and leaves.
func Run(ctx context.Context, db *sql.DB, options Options) error {
	s := &shop{db: db, Options: options, log: options.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.Pause <= 0 {
		s.Pause = 500 * time.Millisecond
	}
	next, stop := pace(options.Rate)
	defer stop()
	for n := 0; options.Actions == 0 || n < options.Actions; n++ {
		if next != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-next:
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		s.do(ctx, n)
	}
	return nil
}

// pace gives a channel that says when the next action is due; nil for at once.
func pace(rate float64) (<-chan time.Time, func()) {
	if rate < 0 {
		return nil, func() {}
	}
	if rate == 0 {
		rate = 5
	}
	t := time.NewTicker(max(time.Duration(float64(time.Second)/rate), time.Microsecond))
	return t.C, t.Stop
}

// shop is one run.
type shop struct {
	Options
	db  *sql.DB
	log *slog.Logger
}

// action is a kind of visit: what it does, on a connection of its own, and how often it comes.
type action struct {
	name   Action
	weight int
	do     func(context.Context, *visit) error
}

func actions() []action {
	return []action{
		{PlaceOrder, 30, placeOrder},
		{MoveOrder, 24, moveOrder},
		{CancelOrder, 3, cancelOrder},
		{EditProduct, 10, editProduct},
		{Restock, 8, restock},
		{Register, 6, register},
		{EditCustomer, 4, editCustomer},
		{Browse, 15, browse},
	}
}

// visit is one attempt at an action.
type visit struct {
	conn *sql.Conn
	dice *rand.Rand
}

// do does action n. Which one it is, and what it picks, depends on the seed and n only, so that a second try is the
// same again.
func (s *shop) do(ctx context.Context, n int) {
	for {
		dice := rand.New(rand.NewPCG(s.Seed, uint64(n))) //nolint:gosec // Example data, not secrets.
		a := draw(dice)
		if slices.Contains(s.Without, a.name) {
			return
		}
		err := s.attempt(ctx, a, dice)
		if ctx.Err() != nil {
			return
		}
		if s.Done != nil {
			s.Done(a.name, err)
		}
		switch {
		case err == nil:
			return
		case errors.Is(err, ErrNothing):
			return
		case !passing(err):
			s.log.ErrorContext(ctx, "the old shop leaves an action that the database refuses", "action", a.name, "error", err)
			return
		}
		s.log.WarnContext(ctx, "the old shop tries an action again", "action", a.name, "pause", s.Pause, "error", err)
		if !wait(ctx, s.Pause) {
			return
		}
	}
}

func draw(dice *rand.Rand) action {
	all := actions()
	sum := 0
	for _, a := range all {
		sum += a.weight
	}
	roll := dice.IntN(sum)
	for _, a := range all {
		if roll -= a.weight; roll < 0 {
			return a
		}
	}
	return all[0]
}

func (s *shop) attempt(ctx context.Context, a action, dice *rand.Rand) error {
	conn, err := schema.Conn(ctx, s.db)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // The action's own answer counts.
	return a.do(ctx, &visit{conn: conn, dice: dice})
}

// ErrNothing is what Options.Done gets for an action that found nothing to do: no open order, nothing on stock.
var ErrNothing = errors.New("there was nothing to do")

// passing tells whether it may go well another time: the server is gone or busy, or chose this transaction to end a
// deadlock.
func passing(err error) bool {
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		// Too many connections, server shutdown, killed, lock wait timeout, deadlock, query interrupted, still starting.
		return slices.Contains([]uint16{1040, 1053, 1077, 1205, 1213, 1317, 1927, 3169}, refused.Number)
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// wait tells whether the pause passed before ctx ended.
func wait(ctx context.Context, pause time.Duration) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// transaction runs work as the old shop does: autocommit off, and on again afterwards.
func (v *visit) transaction(ctx context.Context, work func() error) error {
	if err := v.exec(ctx, "SET autocommit = 0"); err != nil {
		return err
	}
	err := work()
	if err == nil {
		err = v.exec(ctx, "COMMIT")
	}
	if err != nil {
		return errors.Join(err, v.abandon())
	}
	return v.exec(ctx, "SET autocommit = 1")
}

// abandon rolls back by giving the connection up, which also works when ctx has ended.
func (v *visit) abandon() error {
	err := v.conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

func (v *visit) exec(ctx context.Context, statement string, args ...any) error {
	_, err := v.changed(ctx, statement, args...)
	return err
}

// changed runs a statement and gives how many rows it changed.
func (v *visit) changed(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := v.conn.ExecContext(ctx, statement, args...)
	if err != nil {
		return 0, fmt.Errorf("%.40s …: %w", statement, err)
	}
	return result.RowsAffected()
}

// one reads one row; ErrNothing when there is none.
func (v *visit) one(ctx context.Context, into []any, query string, args ...any) error {
	err := v.conn.QueryRowContext(ctx, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNothing
	}
	if err != nil {
		return fmt.Errorf("%.40s …: %w", query, err)
	}
	return nil
}

// nextID takes an id from the counter table. Its row stays locked until the transaction ends.
func (v *visit) nextID(ctx context.Context, counter string) (int64, error) {
	var id int64
	if err := v.one(ctx, []any{&id}, "SELECT counters_value FROM counters WHERE counters_name = ? FOR UPDATE", counter); err != nil {
		return 0, err
	}
	id++
	return id, v.exec(ctx, "UPDATE counters SET counters_value = ? WHERE counters_name = ?", id, counter)
}

// someID gives a number up to the highest id that the counter has given.
func (v *visit) someID(ctx context.Context, counter string) (int64, error) {
	var last int64
	if err := v.one(ctx, []any{&last}, "SELECT counters_value FROM counters WHERE counters_name = ?", counter); err != nil {
		return 0, err
	}
	if last == 0 {
		return 0, ErrNothing
	}
	return 1 + v.dice.Int64N(last), nil
}
