package preflight

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Options say what is looked at.
type Options struct {
	// DSN is that of go-sql-driver, with the account that the mirror uses.
	DSN string
	// Schema is that of the ledger, which is never in scope.
	Schema string
	// Ledger are the rights that the account needs on Banyan's own tables.
	Ledger []Right
	// Writes says that the account is that of a process without the mirror, whose changes are only among those that are
	// mirrored: it needs no right to read the log, and what it can't see of the tables is no loss.
	Writes bool
	// Schemas have to be there. Empty: all but the server's own are looked at.
	Schemas []string
	// Scope tells which tables are mirrored, by names as the log has them: in lower case where lower_case_table_names is set.
	// Nil: all of Schemas, the ledger's aside.
	Scope func(schema, table string) bool
	// MaxNames is how many tables a finding names, 10 if it is zero.
	MaxNames int
	// Retention is how long an outage of the mirror may last without loss, three days if it is zero.
	Retention time.Duration
}

// Severity says how bad a finding is.
type Severity string

// The severities, the worst first.
const (
	// Error loses or distorts changes, so the mirror must not start.
	Error Severity = "error"
	// Warning is what a person should know: it loses or distorts changes under conditions, or makes events harder to use.
	Warning Severity = "warning"
	// Note explains how something looks in the events, or what could not be seen.
	Note Severity = "note"
)

func (s Severity) order() int { return slices.Index([]Severity{Error, Warning, Note}, s) }

// Finding is one thing to know. Things that are alike are in one.
type Finding struct {
	Severity Severity
	Topic    Topic
	// What is wrong, with names and values.
	What string
	// Mend has statements and lines of configuration, one a line; lines of words begin with "-- ".
	Mend string
}

// Check looks at the server, and gives what it has found, the worst first. An error says that it could not look; a server
// that is no MySQL or MariaDB that can be mirrored is a finding. It takes about fifteen statements, however many tables there are.
func Check(ctx context.Context, options Options) ([]Finding, error) {
	config, err := mysql.ParseDSN(options.DSN)
	if err != nil {
		return nil, fmt.Errorf("use the DSN for the preflight: %w", err)
	}
	config.InterpolateParams, config.ParseTime = true, false
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("use the DSN for the preflight: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // Nothing was written on it.
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect for the preflight: %w", err)
	}
	defer conn.Close() //nolint:errcheck // As above.

	c := &check{options: options, q: queries{conn}}
	c.options.MaxNames = cmp.Or(options.MaxNames, 10)
	c.options.Retention = cmp.Or(options.Retention, 72*time.Hour)
	if err := c.look(ctx); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.order(), b.Severity.order()), cmp.Compare(a.Topic.order(), b.Topic.order()))
	})
	return c.found, nil
}

// check is one run.
type check struct {
	options Options
	q       queries
	server  *server
	tables  []*table // those in scope
	found   []Finding
}

func (c *check) look(ctx context.Context) error {
	var err error
	if c.server, err = readServer(ctx, c.q); err != nil {
		return err
	}
	if !c.checkVersion() {
		return nil // What is true of others need not be true of it.
	}
	c.checkSettings()
	if c.options.Writes {
		c.checkLedgerRights()
		return nil
	}
	for _, part := range []func(context.Context) error{
		c.checkReplica, c.readTables, c.checkRights, c.checkTables, c.checkForeignKeys, c.checkTriggers, c.checkColumns,
		c.checkSessions, c.checkSessionRights, c.checkXA,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) add(severity Severity, topic Topic, what, mend string) {
	c.found = append(c.found, Finding{Severity: severity, Topic: topic, What: what, Mend: mend})
}

// inScope tells whether a table is mirrored.
func (c *check) inScope(schema, name string) bool {
	switch {
	case slices.Contains(systemSchemas, schema), c.server.sameName(schema, c.options.Schema):
		return false
	case len(c.options.Schemas) > 0 && !slices.ContainsFunc(c.options.Schemas, func(s string) bool { return c.server.sameName(s, schema) }):
		return false
	default:
		return c.options.Scope == nil || c.options.Scope(c.server.logged(schema), c.server.logged(name))
	}
}

// systemSchemas are the servers' own.
var systemSchemas = []string{"information_schema", "mysql", "performance_schema", "sys"}

// MySQL's errors: those of an account that may not, and of a statement that is none.
const (
	errSyntax         = 1064
	errDatabaseAccess = 1044
	errTableAccess    = 1142
	errColumnAccess   = 1143
	errSpecificAccess = 1227
	errXAFatal        = 1401 // XA RECOVER's.
)

// denied tells whether the account lacks a right.
func denied(err error) bool {
	return isOne(err, errDatabaseAccess, errTableAccess, errColumnAccess, errSpecificAccess, errXAFatal)
}

// isSyntax tells whether the server does not know a statement.
func isSyntax(err error) bool { return isOne(err, errSyntax) }

func isOne(err error, numbers ...uint16) bool {
	var server *mysql.MySQLError
	return errors.As(err, &server) && slices.Contains(numbers, server.Number)
}
