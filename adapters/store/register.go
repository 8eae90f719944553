package store

import (
	"context"
	"database/sql"
	"errors"
)

// Register puts the marks there, in place of those that an earlier process of the same name has left, and sweeps marks of
// replicas that have not been there for 30 days. It may be called again, after an error too; once it has succeeded,
// calling it again is Reregister.
func (w *Writer) Register(ctx context.Context) error { return w.Reregister(ctx) }

// Reregister is Register for a replica whose marks were taken away and that lives on. Once the marks have been there, it
// gives them a new token: it waits for transactions that have marked, for as long as ctx and Options.Timeout allow, and those
// whose Mark was asked for before can't mark any more. Transactions that are begun afterwards can: whatever was decided
// when the replica could still write has to be over by then.
func (w *Writer) Reregister(ctx context.Context) error {
	use, err := w.Renew(ctx)
	if err != nil {
		return err
	}
	use()
	return nil
}

// Renew is Reregister in two steps: transactions are begun by the new marks once use is called. Until then those that are
// begun find no mark, and abort. Marks that are taken away in between stay so, whenever use is called.
func (w *Writer) Renew(ctx context.Context) (use func(), err error) {
	w.registering.Lock()
	defer w.registering.Unlock()
	token := w.token.Load()
	if w.registered() {
		token = newToken()
	}
	if err := w.register(ctx, token[:]); err != nil {
		return nil, w.options.told(ctx, w.db, "register as a writer", err)
	}
	w.made = token
	w.start()
	if err := w.sweep(ctx); err != nil {
		w.options.Logger.Warn("marks of replicas that are long gone could not be swept; they do no harm", "error", err)
	}
	return func() { w.token.Store(token) }, nil
}

// Registered says whether the marks are there: false after they were taken away, and before they were put there.
func (w *Writer) Registered(ctx context.Context) (bool, error) {
	w.registering.Lock()
	defer w.registering.Unlock()
	limited, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	// The first is the first that is taken.
	query := "SELECT 1 FROM " + w.options.table("writers") + " WHERE replica = ? AND slot = 0 AND token = ?"
	var there int
	err := w.db.QueryRowContext(limited, query, w.replica, w.token.Load()[:]).Scan(&there)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, w.options.told(ctx, w.db, "look for the marks of this writer", err)
}

func (w *Writer) registered() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stop != nil
}

// start begins to say that the replica is there, unless that has begun.
func (w *Writer) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop, w.stopped = stop, make(chan struct{})
	go w.keepSeen(ctx)
}

func (w *Writer) register(ctx context.Context, token []byte) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	return again(ctx, func() error { return w.putMarks(ctx, token) })
}

func (w *Writer) putMarks(ctx context.Context, token []byte) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Slot by slot, in the order in which they are locked everywhere.
	upsert := "INSERT INTO " + w.options.table("writers") + " (replica, slot, token, started_at, seen_at) VALUES (?, ?, ?, NOW(6), NOW(6)) " +
		"ON DUPLICATE KEY UPDATE n = IF(token = ?, n, 0), token = ?, started_at = NOW(6), seen_at = NOW(6)"
	for slot := range w.slots + 1 {
		if _, err := tx.ExecContext(ctx, upsert, w.replica, slot, token, token, token); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM "+w.options.table("writers")+" WHERE replica = ? AND slot > ?", w.replica, w.slots); err != nil {
		return err
	}
	return tx.Commit()
}

// Drained returns once no transaction is under way any more that has marked before it was called. Later ones wait for it
// meanwhile.
func (w *Writer) Drained(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return w.options.told(ctx, w.db, "wait for this replica's transactions", err)
	}
	defer tx.Rollback()
	var slots int // the locks are what is wanted
	err = tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+w.options.table("writers")+" WHERE replica = ? FOR UPDATE", w.replica).Scan(&slots)
	return w.options.told(ctx, w.db, "wait for this replica's transactions", err)
}

// Deregister removes the marks, after which the replica can't write, and closes the connections. It waits for
// transactions that have marked, for as long as ctx and Options.Timeout allow; marks that stay do no harm. It may be called twice.
func (w *Writer) Deregister(ctx context.Context) error {
	w.registering.Lock()
	defer w.registering.Unlock()
	w.mu.Lock()
	stop := w.stop
	w.stop = nil
	w.mu.Unlock()
	var err error
	if stop != nil {
		stop()
		<-w.stopped
		err = w.deregister(ctx)
	}
	return errors.Join(err, w.db.Close())
}

func (w *Writer) deregister(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	_, err := w.db.ExecContext(ctx, "DELETE FROM "+w.options.table("writers")+" WHERE replica = ? AND token = ?", w.replica, w.made[:])
	return w.options.told(ctx, w.db, "remove the marks of this writer", err)
}
