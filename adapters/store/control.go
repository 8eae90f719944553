package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler/control"
)

// Control is a control.Store and a control.Membership over the tables capabilities, changes, replicas and audit. It is
// safe for concurrent use.
//
// All changes of flags are counted in one row, which each of them locks until it is committed: so they have an order.
type Control struct {
	*tables
	seat *seat
	sql  statements

	now     func() time.Time
	hearing sync.Mutex
	heard   map[string]heard // by the replica's name
}

var (
	_ control.Store      = (*Control)(nil)
	_ control.Membership = (*Control)(nil)
)

// statements are those that are run all the time.
type statements struct{ count, news, renew string }

// NewControl makes a Control without connecting. Its errors are about the options; none shows a password. Migrate makes
// the tables.
func NewControl(options Options) (*Control, error) {
	t, err := newTables(options, 6)
	if err != nil {
		return nil, err
	}
	o := t.options
	return &Control{
		tables: t, now: time.Now, heard: map[string]heard{},
		seat: &seat{options: o, config: t.config, lock: coordinatorLock(o.Schema), title: "coordinates shifts"},
		sql: statements{
			count: "INSERT INTO " + o.table("changes") + " (id, n) VALUES (1, LAST_INSERT_ID(1)) ON DUPLICATE KEY UPDATE n = LAST_INSERT_ID(n + 1)",
			news: "SELECT c.n, k.name, k.flag FROM " + o.table("changes") + " c LEFT JOIN " + o.table("capabilities") +
				" k ON k.changed > ? WHERE c.id = 1 LIMIT " + fmt.Sprint(mostCapabilities+1),
			renew: "UPDATE " + o.table("replicas") + " SET renewed_at = NOW(6), acks = ? WHERE name = ? AND NOT fenced",
		},
	}, nil
}

// mostCapabilities bounds what is read at once. Flags that are cut off would be missed, so more of them are an error.
const mostCapabilities = 10_000

func (c *Control) tooMany() error {
	return fmt.Errorf("there are more than %d capabilities in %s: delete those that no config has any more", mostCapabilities, c.options.table("capabilities"))
}

// Ensure makes a capability's record, with revision 1, unless there is one.
func (c *Control) Ensure(ctx context.Context, r control.Record) error {
	flag, err := checked(r)
	if err != nil {
		return err
	}
	return c.within(ctx, "make a capability's flag", func(ctx context.Context) error {
		var there int
		err := c.db.QueryRowContext(ctx, "SELECT 1 FROM "+c.options.table("capabilities")+" WHERE name = ?", r.Capability).Scan(&there)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		return c.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			n, err := c.count(ctx, tx)
			if err != nil {
				return err
			}
			insert := "INSERT INTO " + c.options.table("capabilities") + " (name, revision, version, flag, state, changed, changed_at) " +
				"VALUES (?, 1, ?, ?, ?, ?, NOW(6)) ON DUPLICATE KEY UPDATE name = name"
			_, err = tx.ExecContext(ctx, insert, r.Capability, r.Flag.Version, flag, string(r.State), n)
			return err
		})
	})
}

// Records gives all records, by name.
func (c *Control) Records(ctx context.Context) (records []control.Record, err error) {
	err = c.within(ctx, "read the flags", func(ctx context.Context) error {
		records, err = c.records(ctx)
		return err
	})
	return records, err
}

func (c *Control) records(ctx context.Context) (records []control.Record, err error) {
	query := "SELECT name, revision, flag, state, changed_at, NOW(6) FROM " + c.options.table("capabilities") + " ORDER BY name LIMIT ?"
	rows, err := c.db.QueryContext(ctx, query, mostCapabilities+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r control.Record
		var flag, state []byte
		if err := rows.Scan(&r.Capability, &r.Revision, &flag, &state, &r.Changed, &r.Now); err != nil {
			return nil, err
		}
		r.State = state
		if r.Flag, err = readFlag(r.Capability, flag); err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	if len(records) > mostCapabilities {
		return nil, c.tooMany()
	}
	return records, rows.Err()
}

// Save replaces a record, and keeps audits with it, whose texts are cut to what the columns hold: 255 characters, 1000 for
// the reason. What is cut ends in an ellipsis. After an error other than control.ErrConflict it may have been saved:
// Records tells.
func (c *Control) Save(ctx context.Context, r control.Record, audits ...control.Audit) error {
	flag, err := checked(r)
	if err != nil {
		return err
	}
	return c.within(ctx, "save a capability's flag", func(ctx context.Context) error {
		return c.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			n, err := c.count(ctx, tx) // first, so that changes wait for each other here and nowhere else
			if err != nil {
				return err
			}
			update := "UPDATE " + c.options.table("capabilities") +
				" SET revision = revision + 1, version = ?, flag = ?, state = ?, changed = ?, changed_at = NOW(6) WHERE name = ? AND revision = ?"
			done, err := tx.ExecContext(ctx, update, r.Flag.Version, flag, string(r.State), n, r.Capability, r.Revision)
			if err != nil {
				return err
			}
			if found, err := done.RowsAffected(); err != nil || found == 0 { // those found: clientFoundRows
				return errors.Join(err, control.ErrConflict)
			}
			return c.keep(ctx, tx, audits)
		})
	})
}

// count counts a change of a flag: no other can be made until the transaction has ended.
func (c *Control) count(ctx context.Context, tx *sql.Tx) (n int64, err error) {
	done, err := tx.ExecContext(ctx, c.sql.count)
	if err != nil {
		return 0, err
	}
	return done.LastInsertId()
}

// checked gives the flag as it is stored.
func checked(r control.Record) (flag string, err error) {
	if r.Capability == "" || r.Flag.Capability != r.Capability {
		return "", fmt.Errorf("the flag of %q can't be kept as that of the capability %q", r.Flag.Capability, r.Capability)
	}
	if !json.Valid(r.State) {
		return "", fmt.Errorf("the state of the capability %q is no JSON", r.Capability)
	}
	text, err := json.Marshal(r.Flag)
	if err != nil {
		return "", fmt.Errorf("write the flag of the capability %q as JSON: %w", r.Capability, err)
	}
	return string(text), nil
}

func readFlag(capability string, text []byte) (f flags.Flag, err error) {
	if err := json.Unmarshal(text, &f); err != nil {
		return flags.Flag{}, fmt.Errorf("the stored flag of the capability %q can't be read: %w", capability, err)
	}
	if f.Capability != capability {
		return flags.Flag{}, fmt.Errorf("the stored flag of the capability %q is that of %q", capability, f.Capability)
	}
	return f, nil
}

// Lead waits until this process holds the coordinator's lock. The lock only chooses: what makes a second coordinator
// harmless is that records are compared before they are replaced.
func (c *Control) Lead(ctx context.Context) (control.Leadership, error) {
	h, err := c.seat.win(ctx)
	if err != nil {
		return nil, c.told(ctx, "become the coordinator", err)
	}
	h.keep(nil, nil)
	return h, nil
}
