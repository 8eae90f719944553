package app_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/internal/fault"
)

// Each table of Banyan's own that some migration makes is granted to somebody.
func TestEachOwnTableIsGranted(t *testing.T) {
	l := newGrantLab(t, &devstack.MariaDB(t).Server)
	if err := store.Migrate(t.Context(), l.options(l.dsn)); err != nil {
		t.Fatal(err)
	}
	grants, err := l.project(t, l.dsn).Grants(t.Context(), app.GrantOptions{Roles: app.AllRoles()})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := l.db.QueryContext(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", l.ledger)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		on := "`" + l.ledger + "`.`" + name + "`"
		if !slices.ContainsFunc(grants.Grants, func(g app.Grant) bool { return g.On == on }) {
			t.Errorf("nobody is granted anything on %s: add it to adapters/store/rights.go", name)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// One account that does all is granted what it needs before there is any table of Banyan's.
func TestOneAccountForAll(t *testing.T) {
	l := newGrantLab(t, &devstack.MariaDB(t).Server)
	account := devstack.NewAccount(t, l.dsn)
	grants, err := l.project(t, l.dsn).Grants(t.Context(), app.GrantOptions{Account: account.Name})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(grants.Roles, []app.Role{app.RoleFacade, app.RoleMirror, app.RoleMigrate}) {
		t.Errorf("got %q", grants.Roles)
	}
	for _, g := range grants.Grants {
		account.Run(g.Statement)
	}
	faults := l.project(t, account.DSN).Verify(t.Context(), app.AllRoles())
	for _, f := range faults.All() {
		if f.Severity == fault.Error && !strings.Contains(f.Message, "the broker can't be asked") { // there is none
			t.Error(f)
		}
	}
	if err := store.Migrate(t.Context(), l.options(account.DSN)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(l.facade(t, account.DSN), l.mirror(t, account.DSN)); err != nil {
		t.Error(err)
	}
}

func TestGrantsWithoutAServer(t *testing.T) {
	l := newGrantLab(t, &devstack.MariaDB(t).Server)
	p := l.project(t, "nobody:p@tcp(127.0.0.1:1)/shop")
	if _, err := p.Grants(t.Context(), app.GrantOptions{}); err == nil || !strings.Contains(err.Error(), "--server") {
		t.Errorf("got %v", err)
	}
	for server, want := range map[string][]string{
		"mariadb": {"GRANT BINLOG MONITOR, REPLICATION SLAVE ON *.* TO `o'neil`@`10.0.%`;", "GRANT SELECT, REFERENCES ON `shop`.* TO "},
		"mysql":   {"GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO `o'neil`@`10.0.%`;", "GRANT SELECT ON `shop`.* TO "},
	} {
		grants, err := p.Grants(t.Context(), app.GrantOptions{Server: server, Account: "'o''neil'@'10.0.%'"})
		if err != nil {
			t.Fatal(err)
		}
		text := grants.Text()
		for _, part := range append(want, "not asked", "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON `"+strings.ReplaceAll(l.ledger, "_", `\_`)+"`.* TO ", "-- note: the server was not asked") {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is not in\n%s", server, part, text)
			}
		}
	}
	for _, bad := range []string{"", "@h", "u@", "''@'h'", "u\n@h"} {
		if _, err := p.Grants(t.Context(), app.GrantOptions{Server: "mysql", Account: bad}); err == nil {
			t.Errorf("%q is an account", bad)
		}
	}
}
