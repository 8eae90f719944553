package apptest

import (
	"context"
	"database/sql"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/devstack"
)

// ownAccounts gives the environment with accounts that have exactly what Banyan asks for in place of an administrator.
func ownAccounts(t testing.TB, dir string, environment map[string]string, roles []app.Role) map[string]string {
	t.Helper()
	admin := load(t, dir, environment)
	dsn := admin.Config.Legacy.DSN.Reveal()
	if !administrates(t, dsn) {
		return environment
	}
	with := func(account *devstack.Account) map[string]string {
		out := maps.Clone(environment)
		for name, value := range out {
			if value == dsn {
				out[name] = account.DSN
			}
		}
		return out
	}
	maker := Grant(t, admin, app.RoleMigrate)
	if _, err := load(t, dir, with(maker)).Migrate(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if len(roles) == 0 {
		roles = app.AllRoles()
	}
	return with(Grant(t, load(t, dir, environment), roles...))
}

// Grant makes an account with the rights that a project's roles need. The project has an administrator's DSN.
func Grant(t testing.TB, project *app.Project, roles ...app.Role) *devstack.Account {
	t.Helper()
	account := devstack.NewAccount(t, project.Config.Legacy.DSN.Reveal())
	grants, err := project.Grants(t.Context(), app.GrantOptions{Roles: roles, Account: account.Name})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grants.Grants {
		account.Run(g.Statement)
	}
	return account
}

// administrates tells whether the server is there, and the account of a DSN has all rights.
func administrates(t testing.TB, dsn string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return false
	}
	defer db.Close() //nolint:errcheck // it was only asked
	var grant string
	if err := db.QueryRowContext(ctx, "SHOW GRANTS").Scan(&grant); err != nil {
		t.Logf("no account of its own: %v", err)
		return false
	}
	return strings.Contains(grant, "ON *.*") && strings.Contains(grant, "WITH GRANT OPTION")
}
