package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// Command runs one statement as text, without arguments: START TRANSACTION and its kin, whose effect on the connection's
// transaction it keeps track of. COMMIT is Commit.
func (c *Conn) Command(ctx context.Context, sql string) error {
	kind := commandOf(sql)
	if kind == commandCommit {
		return c.Commit(ctx)
	}
	for attempt := 0; ; attempt++ {
		err := c.enter(ctx, 0)
		if err == nil {
			if kind == commandBegin && c.session.tx {
				c.leave()
				return misuse("a transaction begun within a transaction")
			}
			if _, err = c.session.wire.Exec(sql, nil); err == nil {
				c.leave()
				switch kind {
				case commandBegin:
					c.session.tx, c.session.readOnly = true, strings.Contains(sql, "READ ONLY")
				case commandRollback:
					c.session.tx, c.session.unsure = false, false
				case commandOther:
					c.session.unsure = true
				}
				return nil
			}
			if kind == commandBegin && connectionLost(err) {
				err = errors.Join(driver.ErrBadConn, err) // beginning changes nothing, so that it may be done again elsewhere
			}
		}
		if again, err := c.failed(ctx, sql, err, attempt); !again {
			return err
		}
	}
}

// Rollback ends the open transaction, undoing it.
func (c *Conn) Rollback(ctx context.Context) error { return c.Command(ctx, "ROLLBACK") }

// Commit ends the open transaction, keeping it. Once begun it is not cut short by ctx, but goes on for as long as
// Options.CommitGrace after ctx's end. Where the connection was lost meanwhile, the error's reason is
// COMMIT_OUTCOME_UNKNOWN, unless the transaction was begun as READ ONLY. After any other error nothing was kept.
func (c *Conn) Commit(ctx context.Context) error {
	err := c.enter(ctx, c.pool.options.CommitGrace)
	if err != nil {
		return err
	}
	_, err = c.session.wire.Exec("COMMIT", nil)
	ended := c.session.watch.leave()
	c.lost = c.lost || ended != nil
	if err == nil {
		c.session.tx, c.session.unsure = false, false
		return nil
	}
	if ended == nil {
		c.assess(err)
		if errors.Is(err, driver.ErrBadConn) || !interrupted(err) {
			return c.told(err)
		}
	}
	if c.session.readOnly {
		return lostMessage(err)
	}
	return OutcomeUnknown(err)
}

// OutcomeUnknown is the error of a change whose connection was lost while it was being committed, or while it ran as a
// statement that commits itself.
func OutcomeUnknown(cause error) *strangler.Error {
	return strangler.Fail(codes.Unavailable, "COMMIT_OUTCOME_UNKNOWN",
		"the connection to the legacy database was lost while the change was being committed: it is not known whether it happened; read it back before repeating it").
		WithCause(cause)
}

type command int

const (
	commandOther command = iota
	commandBegin
	commandCommit
	commandRollback
	commandSavepoint
)

func commandOf(sql string) command {
	switch firstWord(sql) {
	case "BEGIN", "START":
		return commandBegin
	case "COMMIT":
		return commandCommit
	case "SAVEPOINT", "RELEASE":
		return commandSavepoint
	case "ROLLBACK":
		if strings.Contains(strings.ToUpper(sql), " TO ") {
			return commandSavepoint
		}
		return commandRollback
	}
	return commandOther
}
