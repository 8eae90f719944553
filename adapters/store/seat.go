package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

// seat is what one process at a time can have: a lock in the server, held by a connection of its own.
type seat struct {
	options Options
	config  *mysql.Config
	lock    string
	// title says in the log what whoever has the seat does, in the form "leads the mirror", and about are the log's attributes.
	title string
	about []any
	// took says that the server has been seen to take changes from everybody. Where it doesn't from the start, that is
	// meant so, and an account that may write all the same takes the seat.
	took atomic.Bool
}

// holder is the time that this process has a seat. It is safe for concurrent use.
type holder struct {
	seat *seat
	db   *sql.DB
	conn *sql.Conn
	// readOnly says that the server was read-only when the seat was won, and our account may write all the same.
	readOnly bool
	lost     chan struct{}
	lose     func()

	stop   context.CancelFunc
	kept   chan struct{} // closed when the connection is given back
	closed error         // of giving it back; to be read after kept
}

// win waits until this process has the lock. When anything fails on the lock's connection, it is closed, and win returns.
// The holder has to keep the lock, or drop it.
func (s *seat) win(ctx context.Context) (*holder, error) {
	cfg := s.config.Clone()
	cfg.Params["wait_timeout"] = fmt.Sprint(seconds(s.options.WaitTimeout))
	cfg.ReadTimeout = s.options.LockWait + s.options.WaitTimeout
	db, err := open(cfg, 1)
	if err != nil {
		return nil, err
	}
	conn, err := s.connect(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	h := &holder{seat: s, db: db, conn: conn, lost: make(chan struct{}), kept: make(chan struct{}), stop: func() {}}
	h.lose = sync.OnceFunc(func() { close(h.lost) })
	if err := h.sit(ctx); err != nil {
		return nil, errors.Join(err, h.drop())
	}
	return h, nil
}

func (s *seat) connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return db.Conn(ctx)
}

// sit waits for the lock.
func (h *holder) sit(ctx context.Context) error {
	if _, err := h.takesChanges(ctx); err != nil {
		return err
	}
	for {
		won, err := h.ask(ctx)
		if err != nil {
			return err
		}
		if won {
			break
		}
	}
	takes, err := h.takesChanges(ctx)
	if err == nil && !takes && h.seat.took.Load() {
		err = ErrReadOnly // demoted while we waited, or had the seat
	}
	h.readOnly = !takes
	return err
}

// takesChanges asks whether the server takes changes from everybody.
func (h *holder) takesChanges(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, h.seat.options.Timeout)
	defer cancel()
	var mode string
	if err := h.conn.QueryRowContext(ctx, "SELECT @@GLOBAL.read_only").Scan(&mode); err != nil {
		return false, err
	}
	if !writable(mode) {
		return false, nil
	}
	h.seat.took.Store(true)
	return true, nil
}

// ask waits for the lock for one round. Rounds are short, since the server only notices between them that whoever waits
// has gone.
func (h *holder) ask(ctx context.Context) (won bool, err error) {
	o := h.seat.options
	ctx, cancel := context.WithTimeout(ctx, o.LockWait+o.WaitTimeout)
	defer cancel()
	var got sql.NullBool
	if err := h.conn.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", h.seat.lock, seconds(o.LockWait)).Scan(&got); err != nil {
		return false, err
	}
	if !got.Valid {
		return false, errors.New("the server could not wait for the leader's lock")
	}
	return got.Bool, nil
}

// keep makes sure in the background that this process has the seat until Close, and that also finds nothing against it.
// Otherwise the seat is lost, and over is called before anybody is told. Both may be nil.
func (h *holder) keep(also func(ctx context.Context, conn *sql.Conn) error, over func()) {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	go func() {
		defer close(h.kept)
		if err := h.watch(ctx, also); err == nil {
			h.closed = h.release()
			return
		} else if ctx.Err() == nil {
			h.seat.options.Logger.Warn("this process "+h.seat.title+" no more", append([]any{"error", err}, h.seat.about...)...)
		}
		if over != nil {
			over()
		}
		h.lose()
		h.closed = h.drop()
	}()
}

// watch looks again and again. It gives nil when ctx ends while the seat is ours.
func (h *holder) watch(ctx context.Context, also func(ctx context.Context, conn *sql.Conn) error) error {
	tick := time.NewTicker(h.seat.options.KeepAlive)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := h.check(ctx, also); err != nil {
			return err
		}
	}
}

// check asks on the lock's connection whether it has the lock, and whether the server has become read-only: who may write
// there all the same would lead on, beside the leader on the server that took its place.
// A server that does not answer is given up at about the time at which it gives us up.
func (h *holder) check(ctx context.Context, also func(ctx context.Context, conn *sql.Conn) error) error {
	o := h.seat.options
	ctx, cancel := context.WithTimeout(ctx, max(o.WaitTimeout-o.KeepAlive, o.WaitTimeout/2))
	defer cancel()
	var held sql.NullBool
	var mode string
	const query = "SELECT IS_USED_LOCK(?) = CONNECTION_ID(), @@GLOBAL.read_only"
	if err := h.conn.QueryRowContext(ctx, query, h.seat.lock).Scan(&held, &mode); err != nil {
		return fmt.Errorf("the connection that holds the leader's lock is of no more use: %w", err)
	}
	if !held.Bool {
		return errors.New("the server gave the leader's lock to somebody else")
	}
	if !h.readOnly && !writable(mode) {
		return ErrReadOnly
	}
	if also == nil {
		return nil
	}
	return also(ctx, h.conn)
}

// Lost is closed when this process has the seat no more.
func (h *holder) Lost() <-chan struct{} { return h.lost }

// Close gives the seat back. It may be called again.
func (h *holder) Close() error {
	h.stop()
	<-h.kept
	h.lose()
	return h.closed
}

// release gives the lock back and closes its connection. A server that does not answer is not waited for: it frees the
// lock when it sees that the connection is gone.
func (h *holder) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := h.conn.ExecContext(ctx, "DO RELEASE_LOCK(?)", h.seat.lock)
	if err != nil {
		err = fmt.Errorf("give the leader's lock back: %w", err)
	}
	return errors.Join(err, h.drop())
}

// drop closes the lock's connection.
func (h *holder) drop() error {
	err := h.conn.Close()
	if errors.Is(err, sql.ErrConnDone) { // it was lost before
		err = nil
	}
	return errors.Join(err, h.db.Close())
}
