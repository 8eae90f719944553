package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/strangler/backfill"
)

// Backfills is a backfill.Book over the table backfills. It is safe for concurrent use.
type Backfills struct{ *tables }

var _ backfill.Book = (*Backfills)(nil)

// NewBackfills makes a Backfills without connecting. Its errors are about the options; none shows a password. Migrate makes the
// table.
func NewBackfills(options Options) (*Backfills, error) {
	t, err := newTables(options, 2)
	if err != nil {
		return nil, err
	}
	return &Backfills{t}, nil
}

// What the columns of backfills hold, in characters.
const (
	mostNote = 1000
	mostWho  = 255
)

const (
	jobColumns = "id, mirror, of_schema, name, state, rate, max_lag, reached, done, total, term, epoch, note, who, created_at, began_at, changed_at"
	going      = "('waiting', 'running')"
)

// readJob reads jobColumns.
func readJob(scan func(...any) error) (j backfill.Job, err error) {
	var lag uint32
	var began sql.NullTime
	err = scan(&j.ID, &j.Mirror, &j.Schema, &j.Name, &j.State, &j.Rate, &lag, &j.Reached, &j.Done, &j.Total, &j.Term, &j.Epoch, &j.Note, &j.Who,
		&j.Created, &began, &j.Changed)
	j.MaxLag, j.Began = time.Duration(lag)*time.Millisecond, began.Time
	return j, err
}

const (
	// addedAtOnce is how many jobs one statement adds.
	addedAtOnce = 500
	// keptJobs is how many jobs are kept at least: those that are over go once so many newer ones are there.
	keptJobs = 10_000
)

// Add keeps new jobs, all of them or none. Old ones that are over go.
func (b *Backfills) Add(ctx context.Context, jobs []backfill.Job) (added []backfill.Job, err error) {
	var busy *backfill.BusyError
	err = b.within(ctx, "keep a backfill", func(ctx context.Context) error {
		return b.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			there, err := b.goingOn(ctx, tx)
			if err != nil {
				return err
			}
			if busy = firstBusy(there, jobs); busy != nil {
				return busy
			}
			for some := range slices.Chunk(jobs, addedAtOnce) {
				if err := b.insert(ctx, tx, some); err != nil {
					return err
				}
			}
			all, err := b.goingOn(ctx, tx)
			if err != nil {
				return err
			}
			known := make(map[uint64]bool, len(there))
			for i := range there {
				known[there[i].ID] = true
			}
			added = slices.DeleteFunc(all, func(j backfill.Job) bool { return known[j.ID] })
			if len(added) == 0 || added[len(added)-1].ID <= keptJobs {
				return nil
			}
			old := "DELETE FROM " + b.options.table("backfills") + " WHERE id <= ? AND state NOT IN " + going
			_, err = tx.ExecContext(ctx, old, added[len(added)-1].ID-keptJobs)
			return err
		})
	})
	if busy != nil {
		return nil, busy
	}
	if err != nil {
		return nil, err
	}
	return added, nil
}

// firstBusy finds a job for a target that has one already, or has one among those before it.
func firstBusy(there, jobs []backfill.Job) *backfill.BusyError {
	of := make(map[backfill.Target]backfill.Job, len(there)+len(jobs))
	for _, j := range there {
		of[j.Target] = j
	}
	for _, j := range jobs {
		if one, is := of[j.Target]; is {
			return &backfill.BusyError{Job: one}
		}
		of[j.Target] = j
	}
	return nil
}

func (b *Backfills) insert(ctx context.Context, tx *sql.Tx, jobs []backfill.Job) error {
	insert := "INSERT INTO " + b.options.table("backfills") + " (mirror, of_schema, name, state, rate, max_lag, reached, who, created_at, changed_at) VALUES " +
		strings.Repeat("(?, ?, ?, 'waiting', ?, ?, '', ?, NOW(6), NOW(6)), ", len(jobs)-1) + "(?, ?, ?, 'waiting', ?, ?, '', ?, NOW(6), NOW(6))"
	args := make([]any, 0, 6*len(jobs))
	for i := range jobs {
		j := &jobs[i]
		args = append(args, j.Mirror, j.Schema, j.Name, j.Rate, j.MaxLag.Milliseconds(), cut(j.Who, mostWho))
	}
	_, err := tx.ExecContext(ctx, insert, args...)
	return err
}

// goingOn gives the jobs that are not over, oldest first, and keeps others from adding some until the transaction ends.
func (b *Backfills) goingOn(ctx context.Context, tx *sql.Tx) (all []backfill.Job, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT "+jobColumns+" FROM "+b.options.table("backfills")+" WHERE state IN "+going+" ORDER BY id FOR UPDATE")
	if err != nil {
		return nil, err
	}
	return readJobs(rows)
}

func readJobs(rows *sql.Rows) (all []backfill.Job, err error) {
	defer rows.Close()
	for rows.Next() {
		j, err := readJob(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, j)
	}
	return all, rows.Err()
}

func (b *Backfills) read(ctx context.Context, from reader, id uint64) (backfill.Job, error) {
	j, err := readJob(from.QueryRowContext(ctx, "SELECT "+jobColumns+" FROM "+b.options.table("backfills")+" WHERE id = ?", id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: %d", backfill.ErrNone, id)
	}
	return j, err
}

// mostJobs bounds what is read at once.
const mostJobs = 10_000

// List gives the latest jobs, newest first.
func (b *Backfills) List(ctx context.Context, limit int) (all []backfill.Job, err error) {
	if limit <= 0 || limit > mostJobs {
		limit = mostJobs
	}
	err = b.within(ctx, "read the backfills", func(ctx context.Context) error {
		rows, err := b.db.QueryContext(ctx, "SELECT "+jobColumns+" FROM "+b.options.table("backfills")+" ORDER BY id DESC LIMIT ?", limit)
		if err != nil {
			return err
		}
		all, err = readJobs(rows)
		return err
	})
	return all, err
}

// Get gives one job.
func (b *Backfills) Get(ctx context.Context, id uint64) (job backfill.Job, err error) {
	err = b.within(ctx, "read a backfill", func(ctx context.Context) error {
		job, err = b.read(ctx, b.db, id)
		return err
	})
	return job, err
}

// Stop stops a job unless it is over.
func (b *Backfills) Stop(ctx context.Context, id uint64, note string) (job backfill.Job, err error) {
	update := "UPDATE " + b.options.table("backfills") + " SET state = 'stopped', note = ?, changed_at = NOW(6) WHERE id = ? AND state IN " + going
	err = b.within(ctx, "stop a backfill", func(ctx context.Context) error {
		return b.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, update, cut(note, mostNote), id); err != nil {
				return err
			}
			job, err = b.read(ctx, tx, id)
			return err
		})
	})
	return job, err
}

// Claim gives the oldest job of a mirror that is not over, of those behind an id, to the leader of a term.
func (b *Backfills) Claim(ctx context.Context, mirror string, term uint64, epoch uint32, after uint64) (job backfill.Job, found bool, err error) {
	table := b.options.table("backfills")
	oldest := "SELECT " + jobColumns + " FROM " + table + " WHERE mirror = ? AND state IN " + going + " AND id > ? ORDER BY id LIMIT 1"
	err = b.within(ctx, "look for a backfill", func(ctx context.Context) error {
		job, err = readJob(b.db.QueryRowContext(ctx, oldest, mirror, after).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if job.Epoch != epoch {
			job.Reached, job.Done = "", 0
		}
		// A leader of before is deposed: its term is less. Whoever is later keeps what it has.
		update := "UPDATE " + table + " SET state = 'running', term = ?, epoch = ?, reached = ?, done = ?, note = '', began_at = COALESCE(began_at, NOW(6)), changed_at = NOW(6) " +
			"WHERE id = ? AND term = ? AND term <= ? AND state IN " + going
		done, err := b.db.ExecContext(ctx, update, term, epoch, job.Reached, job.Done, job.ID, job.Term, term)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected() // those found: clientFoundRows
		if found = err == nil && n == 1; found {
			job, err = b.read(ctx, b.db, job.ID)
		}
		return err
	})
	return job, found && err == nil, err
}

// Save keeps what its leader says of a job.
func (b *Backfills) Save(ctx context.Context, j backfill.Job) (still bool, err error) {
	update := "UPDATE " + b.options.table("backfills") + " SET state = ?, reached = ?, done = ?, total = ?, note = ?, changed_at = NOW(6) WHERE id = ? AND term = ? AND epoch = ? AND state = 'running'"
	err = b.within(ctx, "keep how far a backfill is", func(ctx context.Context) error {
		return again(ctx, func() error {
			done, err := b.db.ExecContext(ctx, update, j.State, j.Reached, j.Done, j.Total, cut(j.Note, mostNote), j.ID, j.Term, j.Epoch)
			if err != nil {
				return err
			}
			n, err := done.RowsAffected()
			still = n == 1
			return err
		})
	})
	return still && err == nil, err
}
