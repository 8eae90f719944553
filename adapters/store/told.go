package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/mirror/change"
)

// What a server's error means here. Numbers are from the MySQL and MariaDB error references.
var (
	// Access denied: to a database, to a table, to a column, to a routine, to what needs another privilege.
	noGrant = []uint16{1044, 1142, 1143, 1227, 1370}
	// The account itself is refused.
	noAccount = []uint16{1045, 1130, 1698, 1251, 1862, 4151}
	// A table, its database or one of its columns is not there.
	noTable = []uint16{1049, 1054, 1146, 1051}
	// The server takes no changes: by read_only or super_read_only, by transaction_read_only, by innodb_read_only.
	readOnly = []uint16{1290, 1792, 1836}
)

// ErrReadOnly says that the server takes no changes, as one that was demoted to a replica. Whoever tries again connects anew.
var ErrReadOnly = errors.New("the server is read-only")

// told wraps an error by what was tried, and makes a StopError of what only a person can mend. An account that is refused
// passes for a running process, since passwords are changed in turns; Migrate stops for it.
func (s *Store) told(ctx context.Context, what string, err error) error {
	return s.options.told(ctx, s.db, what, err)
}

// told also lets db leave a server that is read-only.
func (o Options) told(ctx context.Context, db *sql.DB, what string, err error) error {
	leave(db, err)
	switch {
	case err == nil, change.Stops(err) != nil:
		return err
	case isNumber(err, readOnly...):
		return fmt.Errorf("%s: %w: %w", what, ErrReadOnly, err)
	case isNumber(err, noGrant...):
		return &change.StopError{
			What:  fmt.Sprintf("the account of Banyan's own tables may not %s", what),
			Fix:   "run on that server: " + o.grant(ctx, "SELECT, INSERT, UPDATE, DELETE"),
			Cause: err,
		}
	case isNumber(err, noTable...):
		return &change.StopError{
			What:  fmt.Sprintf("Banyan can't %s: its tables in `%s` are missing or of another version", what, o.Schema),
			Fix:   "run `banyan migrate up`, then start Banyan again",
			Cause: err,
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// grant gives the statement that lets the account do what it has to. A server that can't be asked for the account's name
// leaves it to the reader.
func (o Options) grant(ctx context.Context, privileges string) string {
	account, err := o.account(ctx)
	if err != nil {
		account = "the account"
	}
	return fmt.Sprintf("GRANT %s ON `%s`.* TO %s", privileges, o.Schema, account)
}

// account gives the name by which the server knows us, as GRANT wants it: 'user'@'host'.
func (o Options) account(ctx context.Context) (quoted string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	cfg, err := o.config()
	if err != nil {
		return "", err
	}
	db, err := open(cfg, 1)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var account string
	if err := db.QueryRowContext(ctx, "SELECT CURRENT_USER()").Scan(&account); err != nil {
		return "", err
	}
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	i := strings.LastIndexByte(account, '@')
	if i < 0 {
		return quote(account), nil
	}
	return quote(account[:i]) + "@" + quote(account[i+1:]), nil
}

func isNumber(err error, numbers ...uint16) bool {
	var reply *mysql.MySQLError
	return errors.As(err, &reply) && slices.Contains(numbers, reply.Number)
}
