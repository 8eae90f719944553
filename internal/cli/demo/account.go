package demo

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/config"
)

// account is Banyan's own, as GRANT wants it: both replicas log in with it, make Banyan's tables, and may do nothing else
// than what banyan grants prints.
const (
	accountName = "banyan_serve"
	account     = "'" + accountName + "'@'%'"
)

// accountDSN puts the account in an administrator's place, with a password that nobody has had before.
func accountDSN(admin string) (string, error) {
	parsed, err := mysql.ParseDSN(admin)
	if err != nil {
		return "", fmt.Errorf("read the server's DSN: %w", err)
	}
	parsed.User, parsed.Passwd = accountName, rand.Text()
	return parsed.FormatDSN(), nil
}

// admit makes the account, and grants it what it needs for the project that is laid out.
func (s *shop) admit(ctx context.Context, lookup config.Lookup) error {
	own, err := mysql.ParseDSN(s.own)
	if err != nil {
		return fmt.Errorf("read the account's DSN: %w", err)
	}
	project, faults := app.Load(ctx, s.config, lookup)
	if err := faults.Err(); err != nil {
		return err
	}
	project.Config.Legacy.DSN = config.NewSecret(s.dsn) // who asks what there is sees all of it
	grants, err := project.Grants(ctx, app.GrantOptions{Account: account})
	if err != nil {
		return err
	}
	db, err := sql.Open("mysql", s.dsn)
	if err != nil {
		return fmt.Errorf("use the server: %w", err)
	}
	defer db.Close() //nolint:errcheck // all that it did has been answered
	statements := []string{"DROP USER IF EXISTS " + account, "CREATE USER " + account + " IDENTIFIED BY '" + own.Passwd + "'"}
	for _, g := range grants.Grants {
		statements = append(statements, g.Statement)
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make Banyan's account: %w", err)
		}
	}
	return nil
}
