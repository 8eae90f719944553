package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// seenEvery is how often a replica says that it is there.
	seenEvery = time.Hour
	// forgetAfter is how long a replica has to have said nothing until its marks are swept. Being wrong about one that
	// lives would stop its writes, so this is long.
	forgetAfter = 30 * 24 * time.Hour
)

// Writer owns the marks of one replica: rows of the table writers on the legacy's server, one of which every write
// transaction of the replica changes first. By that the mirror knows whose a transaction is, and whoever changes a
// replica's tokens stops its writes. A Writer is a legacy/pool.Marker. It is safe for concurrent use.
type Writer struct {
	options Options
	replica string
	slots   int
	db      *sql.DB
	mark    string
	// token is what the marks are found by now. What it points to never changes.
	token atomic.Pointer[[16]byte]

	registering sync.Mutex // held while marks are put there, and taken away
	made        *[16]byte  // what they were put there with last, in use or not yet
	mu          sync.Mutex
	stop        context.CancelFunc // nil before it is registered
	stopped     chan struct{}
}

func newToken() *[16]byte {
	token := new([16]byte)
	_, _ = rand.Read(token[:]) // never fails: crypto/rand ends the program before
	return token
}

// replicaName is what replicas may be called: host:pid fits, and it needs no escaping.
var replicaName = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

func badReplica(replica string) error {
	return fmt.Errorf("the replica's name %q has to be of letters, digits and ._:-, at most 64", replica)
}

// NewWriter makes the marks of a replica without connecting; they are good for writing once Register has put them there. No two
// processes that live may have the same replica: the later one stops the other. Empty, it is made up from host and pid.
// Each of a replica's transactions that run at the same time needs a slot of its own, else they wait for each other.
func NewWriter(options Options, replica string, slots int) (*Writer, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	w := &Writer{options: o, replica: replica, slots: max(slots, 1)}
	w.token.Store(newToken())
	if w.replica == "" {
		w.replica = madeUp(hex.EncodeToString(newToken()[:4]))
	}
	if !replicaName.MatchString(w.replica) {
		return nil, badReplica(w.replica)
	}
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	if w.db, err = open(cfg, 2); err != nil {
		return nil, err
	}
	n := fmt.Sprintf("((n >> %[1]d) + 1) << %[1]d | (CONNECTION_ID() & ((1 << %[1]d) - 1))", connectionBits)
	w.mark = "UPDATE " + o.table("writers") + " SET n = " + n + " WHERE replica = ? AND slot = ? AND token = ?"
	return w, nil
}

// RegisterWriter is NewWriter and Register.
func RegisterWriter(ctx context.Context, options Options, replica string, slots int) (*Writer, error) {
	w, err := NewWriter(options, replica, slots)
	if err != nil {
		return nil, err
	}
	if err := w.Register(ctx); err != nil {
		return nil, errors.Join(err, w.db.Close())
	}
	return w, nil
}

// madeUp gives host:pid:random, as much of the host as fits.
func madeUp(random string) string {
	plain := regexp.MustCompile(`[^A-Za-z0-9._:-]`).ReplaceAllString(ProcessName(), "-")
	if most := 64 - len(random) - 1; len(plain) > most {
		plain = plain[len(plain)-most:]
	}
	return plain + ":" + random
}

// Replica gives the replica's name.
func (w *Writer) Replica() string { return w.replica }

// Slots counts the marks.
func (w *Writer) Slots() int { return w.slots }

// Mark gives the statement that a write transaction begins with, and its arguments (string, int64, []byte). slot counts from 0; it is taken
// modulo Slots. A transaction whose mark finds no row has to be rolled back: this replica may not write.
func (w *Writer) Mark(slot int) (statement string, args []driver.Value) {
	return w.mark, []driver.Value{w.replica, int64(slot%w.slots) + 1, w.token.Load()[:]}
}

// keepSeen says now and then that the replica is there, in a row that no transaction marks.
func (w *Writer) keepSeen(ctx context.Context) {
	defer close(w.stopped)
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.seen(ctx); err != nil && ctx.Err() == nil {
			w.options.Logger.Warn("the replica could not say that it is there; it tries again", "replica", w.replica, "error", err)
		}
	}
}

func (w *Writer) seen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	update := "UPDATE " + w.options.table("writers") + " SET seen_at = NOW(6) WHERE replica = ? AND slot = 0 AND token = ?"
	_, err := w.db.ExecContext(ctx, update, w.replica, w.token.Load()[:])
	leave(w.db, err)
	return err
}

// sweep removes the marks of replicas that are long gone.
func (w *Writer) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.options.Timeout)
	defer cancel()
	query := "SELECT replica FROM " + w.options.table("writers") + " WHERE slot = 0 AND seen_at < NOW(6) - INTERVAL ? SECOND LIMIT 1000"
	rows, err := w.db.QueryContext(ctx, query, seconds(forgetAfter))
	if err != nil {
		return err
	}
	defer rows.Close()
	var gone []string
	for rows.Next() {
		var replica string
		if err := rows.Scan(&replica); err != nil {
			return err
		}
		gone = append(gone, replica)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, replica := range gone {
		if _, err := w.db.ExecContext(ctx, "DELETE FROM "+w.options.table("writers")+" WHERE replica = ?", replica); err != nil {
			return err
		}
	}
	return nil
}
