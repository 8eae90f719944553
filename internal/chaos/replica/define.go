package replica

import (
	"context"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// define does to a table what DDL did. What names several tables comes as several events: it is
// spelled anew for each, or else done once.
func (c *Consumer) define(ctx context.Context, e *event) error {
	schema := quoteName(e.Schema)
	table := schema + "." + quoteName(e.Table)
	if err := c.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+schema+" CHARACTER SET utf8mb4"); err != nil {
		return err
	}
	switch {
	case e.Op == change.Truncate:
		return c.exec(ctx, "TRUNCATE TABLE "+table)
	case e.Op == change.Drop && e.Table != "":
		return c.exec(ctx, "DROP TABLE IF EXISTS "+table)
	case e.Op == change.Rename && e.To != nil && !begins(e.Statement, "ALTER"):
		return c.exec(ctx, "RENAME TABLE "+table+" TO "+quoteName(e.To.Schema)+"."+quoteName(e.To.Table))
	case e.Op == change.Opaque:
		return nil
	}
	if c.defined == e.Transaction.ID {
		return nil // EXCHANGE PARTITION is an event of both tables
	}
	c.defined = e.Transaction.ID
	if err := c.exec(ctx, "USE "+schema); err != nil {
		return err
	}
	// With autocommit off, MariaDB waits for itself in EXCHANGE PARTITION.
	if err := c.exec(ctx, "SET autocommit = 1"); err != nil {
		return err
	}
	// MySQL logs CREATE TABLE … SELECT so; its rows are events of their own.
	statement, _ := strings.CutSuffix(e.Statement, "START TRANSACTION")
	if err := c.exec(ctx, statement); err != nil {
		return err
	}
	return c.exec(ctx, "SET autocommit = 0")
}

// begins says whether SQL begins with a word, behind blanks and comments.
func begins(statement, word string) bool {
	for {
		statement = strings.TrimSpace(statement)
		if !strings.HasPrefix(statement, "/*") {
			break
		}
		_, rest, found := strings.Cut(statement, "*/")
		if !found {
			break
		}
		statement = rest
	}
	return len(statement) >= len(word) && strings.EqualFold(statement[:len(word)], word)
}
