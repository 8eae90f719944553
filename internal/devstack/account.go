package devstack

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Account is an account on a server that starts without any right. It is dropped when the test ends.
type Account struct {
	// Name is it as GRANT wants it: 'user'@'host'.
	Name string
	// DSN is that of the administrator, with this account in its place.
	DSN string

	t     TB
	admin *mysql.Config
}

// NewAccount makes an account on the server that an administrator's DSN leads to.
func NewAccount(t TB, dsn string) *Account {
	t.Helper()
	admin, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatalf("make an account: %v", err)
	}
	mine := admin.Clone()
	mine.User, mine.Passwd = "t_"+randomHex(8), randomHex(12)
	admin.DBName = ""
	a := &Account{Name: "'" + mine.User + "'@'%'", DSN: mine.FormatDSN(), t: t, admin: admin}
	a.Run("CREATE USER " + a.Name + " IDENTIFIED BY '" + mine.Passwd + "'")
	t.Cleanup(func() {
		if err := a.run("DROP USER IF EXISTS " + a.Name); err != nil {
			t.Logf("the account %s stays: %v", a.Name, err)
		}
	})
	return a
}

// Run runs statements as the administrator, such as GRANT and REVOKE.
func (a *Account) Run(statements ...string) {
	a.t.Helper()
	if err := a.run(statements...); err != nil {
		a.t.Fatalf("%v", err)
	}
}

func (a *Account) run(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	connector, err := mysql.NewConnector(a.admin)
	if err != nil {
		return fmt.Errorf("use the server's address: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // Its one connection has done what it was for.
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, strings.TrimSuffix(s, ";")); err != nil {
			return fmt.Errorf("run %q: %w", s, err)
		}
	}
	return nil
}
