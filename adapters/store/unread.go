package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"banyan.dev/banyan/mirror"
)

// Unread is a mirror.Unread over the tables unreadable and passed. It is safe for concurrent use.
type Unread struct{ *tables }

var _ mirror.Unread = (*Unread)(nil)

// NewUnread makes an Unread of the stream Options.Mirror, without connecting. Its errors are about the options; none shows a
// password. Migrate makes the tables.
func NewUnread(options Options) (*Unread, error) {
	t, err := newTables(options, 2)
	if err != nil {
		return nil, err
	}
	return &Unread{t}, nil
}

// mostWords is how much of a reason is kept, in characters.
const mostWords = 4000

// Load gives the entities that are kept.
func (u *Unread) Load(ctx context.Context) (all []mirror.Unreadable, err error) {
	err = u.within(ctx, "read which entities can't be read", func(ctx context.Context) error {
		rows, err := u.db.QueryContext(ctx, "SELECT entity, id, reason, fix, since, version, event, committed_at, written_back FROM "+u.options.table("unreadable")+" WHERE mirror = ?", u.options.Mirror)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one mirror.Unreadable
			if err := rows.Scan(&one.Entity, &one.ID, &one.Reason, &one.Fix, &one.Since, &one.Version, &one.Event, &one.Committed, &one.WrittenBack); err != nil {
				return err
			}
			all = append(all, one)
		}
		return rows.Err()
	})
	return all, err
}

// newer replaces what is kept, unless it is of a greater version. The version is the last that is set: the others compare it.
const newer = "reason = IF(VALUES(version) < version, reason, VALUES(reason)), fix = IF(VALUES(version) < version, fix, VALUES(fix))," +
	" event = IF(VALUES(version) < version, event, VALUES(event)), committed_at = IF(VALUES(version) < version, committed_at, VALUES(committed_at))," +
	" written_back = IF(VALUES(version) < version, written_back, VALUES(written_back)), version = GREATEST(version, VALUES(version))"

// Keep keeps some, as many at once as one statement takes.
func (u *Unread) Keep(ctx context.Context, some []mirror.Unreadable) error {
	return u.within(ctx, "keep what can't be read", func(ctx context.Context) error {
		for chunk := range slices.Chunk(some, sweepAtOnce) {
			values, args := "", []any(nil)
			for _, one := range chunk {
				values += ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
				// A time that the column has no room for says nothing that is needed.
				committed := one.Committed
				if committed.Year() < 1971 || committed.Year() > 2037 {
					committed = time.Unix(1, 0).UTC()
				}
				args = append(args, u.options.Mirror, one.Entity, []byte(one.ID), cut(one.Reason, mostWords), cut(one.Fix, mostWords), one.Since.UTC(), one.Version, one.Event, committed.UTC(), one.WrittenBack)
			}
			upsert := "INSERT INTO " + u.options.table("unreadable") + " (mirror, entity, id, reason, fix, since, version, event, committed_at, written_back) VALUES " + values[len(", "):] +
				" ON DUPLICATE KEY UPDATE " + newer
			if err := again(ctx, func() error {
				_, err := u.db.ExecContext(ctx, upsert, args...)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget deletes some. Its caller may have been deposed meanwhile: versions say so, as texts.
func (u *Unread) Forget(ctx context.Context, some []mirror.Unreadable) error {
	return u.within(ctx, "forget what can be read again", func(ctx context.Context) error {
		for _, one := range some {
			if err := again(ctx, func() error {
				_, err := u.db.ExecContext(ctx, "DELETE FROM "+u.options.table("unreadable")+" WHERE mirror = ? AND entity = ? AND id = ? AND version <= ?", u.options.Mirror, one.Entity, []byte(one.ID), one.Version)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Passed notes what a fence passes, and forgets what is old.
func (u *Unread) Passed(ctx context.Context, fence string, messages []string) error {
	return u.within(ctx, "note what a fence passes", func(ctx context.Context) error {
		for _, message := range messages {
			err := again(ctx, func() error {
				_, err := u.db.ExecContext(ctx, "INSERT INTO "+u.options.table("passed")+" (fence, entity, created_at) VALUES (?, ?, NOW(6))", fence, message)
				return err
			})
			if err != nil && !isNumber(err, duplicate...) {
				return err
			}
		}
		_, err := u.db.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE created_at < NOW(6) - INTERVAL ? SECOND ORDER BY created_at LIMIT %d", u.options.table("passed"), sweepAtOnce), seconds(keptFor))
		return err
	})
}

// Passed says whether a fence has passed entities of a message that could not be read.
func (c *Control) Passed(ctx context.Context, fence, message string) (passed bool, err error) {
	err = c.within(ctx, "read what a fence has passed", func(ctx context.Context) error {
		return c.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+c.options.table("passed")+" WHERE fence = ? AND entity = ?)", fence, message).Scan(&passed)
	})
	return passed, err
}

// Unread counts the entities of a message that a service is not told of.
func (c *Control) Unread(ctx context.Context, service, message string) (n int, err error) {
	err = c.within(ctx, "count what can't be read", func(ctx context.Context) error {
		return c.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+c.options.table("unreadable")+" WHERE mirror = ? AND entity = ?", mirror.ServiceName(service), message).Scan(&n)
	})
	return n, err
}
