package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"banyan.dev/banyan/strangler/control"
)

// mostReplicas bounds what is read at once.
const mostReplicas = 1000

// Join puts a replica there, or anew: not fenced, and with nothing acknowledged.
func (c *Control) Join(ctx context.Context, r control.Joining) error {
	if !replicaName.MatchString(r.Replica) {
		return badReplica(r.Replica)
	}
	return c.within(ctx, "join the replicas", func(ctx context.Context) error {
		upsert := "INSERT INTO " + c.options.table("replicas") + " (name, address, fenced, acks, joined_at, renewed_at) VALUES (?, ?, FALSE, '{}', NOW(6), NOW(6)) " +
			"ON DUPLICATE KEY UPDATE address = ?, fenced = FALSE, acks = '{}', joined_at = NOW(6), renewed_at = NOW(6)"
		address := cut(r.Address, 255)
		return again(ctx, func() error {
			_, err := c.db.ExecContext(ctx, upsert, r.Replica, address, address)
			return err
		})
	})
}

// Exchange costs one query; one more when there are news, and one change when the lease is renewed. News.Change never
// runs ahead of what was given: a flag may come twice, and none is missed.
func (c *Control) Exchange(ctx context.Context, r control.Report) (news control.News, err error) {
	err = c.within(ctx, "exchange news of flags", func(ctx context.Context) error {
		if r.Renew {
			if err := c.renew(ctx, r); err != nil {
				return err
			}
		}
		news, err = c.news(ctx, r.Since)
		return err
	})
	return news, err
}

// renew renews a lease. The row isn't found where the replica is fenced, or was taken away after that.
func (c *Control) renew(ctx context.Context, r control.Report) error {
	acks := []byte("{}")
	if len(r.Acks) > 0 {
		var err error
		if acks, err = json.Marshal(r.Acks); err != nil {
			return err
		}
	}
	done, err := c.db.ExecContext(ctx, c.sql.renew, string(acks), r.Replica)
	if err != nil {
		return err
	}
	if found, err := done.RowsAffected(); err != nil || found == 0 {
		return errors.Join(err, control.ErrFenced)
	}
	return nil
}

// news reads the flags that have changed since. What changes count was committed in their order; yet a server that makes
// a snapshot while changes commit, without stopping them, may show the later of two without the earlier. Both were
// committed by then, so that a second snapshot has all up to where the first got.
func (c *Control) news(ctx context.Context, since uint64) (control.News, error) {
	first, err := c.look(ctx, since)
	if err != nil || first.Change == since && len(first.Flags) == 0 {
		return first, err
	}
	if first.Change < since {
		c.options.Logger.Warn("the control store has gone back, as if it was restored from a backup; all flags are read again", "change", first.Change, "was", since)
		since = 0
	}
	second, err := c.look(ctx, since)
	if err != nil {
		return control.News{}, err
	}
	second.Change = first.Change
	return second, nil
}

func (c *Control) look(ctx context.Context, since uint64) (news control.News, err error) {
	rows, err := c.db.QueryContext(ctx, c.sql.news, since)
	if err != nil {
		return news, err
	}
	defer rows.Close()
	for rows.Next() {
		var capability sql.NullString
		var flag []byte
		if err := rows.Scan(&news.Change, &capability, &flag); err != nil {
			return control.News{}, err
		}
		if !capability.Valid {
			continue // nothing has changed
		}
		f, err := readFlag(capability.String, flag)
		if err != nil {
			return control.News{}, err
		}
		news.Flags = append(news.Flags, f)
	}
	if len(news.Flags) > mostCapabilities {
		return control.News{}, c.tooMany()
	}
	return news, rows.Err()
}

// Leave takes a replica away. It may be called again.
func (c *Control) Leave(ctx context.Context, replica string) error {
	return c.within(ctx, "leave the replicas", func(ctx context.Context) error {
		_, err := c.db.ExecContext(ctx, "DELETE FROM "+c.options.table("replicas")+" WHERE name = ?", replica)
		return err
	})
}

// heard is when a replica renewed its lease last, by the server's clock, and since when, by this process's, that is all that
// was seen. The server's clock may be set at any time; how long something has not changed is known here.
type heard struct {
	renewed string // seconds since 1970, as the server writes them
	since   time.Time
}

// hear notes what was seen of the replicas.
func (c *Control) hear(renewed map[string]string) (since map[string]time.Time) {
	c.hearing.Lock()
	defer c.hearing.Unlock()
	now, since := c.now(), map[string]time.Time{}
	for name, at := range renewed {
		h, known := c.heard[name]
		if !known || h.renewed != at {
			h = heard{at, now}
		}
		c.heard[name], since[name] = h, h.since
	}
	maps.DeleteFunc(c.heard, func(name string, _ heard) bool { _, there := renewed[name]; return !there })
	return since
}

// Replicas gives those that are there, by name. A replica has been silent for as long as the server's clock says, or as this
// process has seen that it was, whichever is longer: the former may be too long, and only the latter counts for Fence.
func (c *Control) Replicas(ctx context.Context) (replicas []control.Replica, err error) {
	err = c.within(ctx, "read the replicas", func(ctx context.Context) error {
		replicas, err = c.replicas(ctx)
		return err
	})
	return replicas, err
}

func (c *Control) replicas(ctx context.Context) (replicas []control.Replica, err error) {
	query := "SELECT name, address, TIMESTAMPDIFF(MICROSECOND, renewed_at, NOW(6)), CAST(UNIX_TIMESTAMP(renewed_at) AS CHAR), fenced, acks FROM " + c.options.table("replicas") + " ORDER BY name LIMIT ?"
	renewed := map[string]string{}
	rows, err := c.db.QueryContext(ctx, query, mostReplicas+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r control.Replica
		var silent int64
		var at string
		var acks []byte
		if err := rows.Scan(&r.Name, &r.Address, &silent, &at, &r.Fenced, &acks); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(acks, &r.Acks); err != nil {
			return nil, fmt.Errorf("what the replica %s has acknowledged can't be read: %w", r.Name, err)
		}
		r.Silent = time.Duration(silent) * time.Microsecond
		renewed[r.Name] = at
		replicas = append(replicas, r)
	}
	if len(replicas) > mostReplicas {
		return nil, fmt.Errorf("there are more than %d replicas in %s: delete those that are long gone", mostReplicas, c.options.table("replicas"))
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	since := c.hear(renewed)
	for i := range replicas {
		replicas[i].Silent = max(replicas[i].Silent, c.now().Sub(since[replicas[i].Name]))
	}
	return replicas, nil
}

// Fence marks a replica as fenced when this process has seen, by looking at Replicas, that it has not renewed its lease for
// as long as that is and control.Margin, by this process's clock; and if it still has not. One that is fenced already, or is
// not there, is fenced, too: it has no lease, and gets none before it has joined.
func (c *Control) Fence(ctx context.Context, replica string) (fenced bool, err error) {
	err = c.within(ctx, "fence a replica", func(ctx context.Context) error {
		return again(ctx, func() error {
			fenced, err = c.fence(ctx, replica)
			return err
		})
	})
	return fenced, err
}

func (c *Control) fence(ctx context.Context, replica string) (bool, error) {
	c.hearing.Lock()
	h, known := c.heard[replica]
	c.hearing.Unlock()
	over := ""
	if known && c.now().Sub(h.since) > control.Lease+control.Margin {
		over = h.renewed
	}
	update := "UPDATE " + c.options.table("replicas") + " SET fenced = TRUE WHERE name = ? AND (fenced OR CAST(UNIX_TIMESTAMP(renewed_at) AS CHAR) = ?)"
	done, err := c.db.ExecContext(ctx, update, replica, over)
	if err != nil {
		return false, err
	}
	if found, err := done.RowsAffected(); err != nil || found > 0 {
		return err == nil, err
	}
	var there int
	err = c.db.QueryRowContext(ctx, "SELECT 1 FROM "+c.options.table("replicas")+" WHERE name = ?", replica).Scan(&there)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return false, err
}

// Forget takes a fenced replica away. One that has joined again stays.
func (c *Control) Forget(ctx context.Context, replica string) error {
	return c.within(ctx, "forget a replica", func(ctx context.Context) error {
		_, err := c.db.ExecContext(ctx, "DELETE FROM "+c.options.table("replicas")+" WHERE name = ? AND fenced", replica)
		return err
	})
}
