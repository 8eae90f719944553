package preflight_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/internal/devstack"
)

// newAccount makes an account without rights, and gives its name and DSN.
func newAccount(t *testing.T, root *sql.DB, server *devstack.Server) (account, dsn string) {
	t.Helper()
	config, err := mysql.ParseDSN(server.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Passwd = word("pf_"), "Secret-1"
	account = "`" + config.User + "`@`%`"
	run(t, root, "CREATE USER "+account+" IDENTIFIED BY 'Secret-1'")
	t.Cleanup(func() { dropAfter(t, root, "USER "+account) })
	return account, config.FormatDSN()
}

func newRole(t *testing.T, root *sql.DB) string {
	t.Helper()
	role := word("pf_role_")
	run(t, root, "CREATE ROLE "+role)
	t.Cleanup(func() { dropAfter(t, root, "ROLE "+role) })
	return role
}

// rightsOf are the topics that grants mend.
var rightsOf = []preflight.Topic{
	preflight.RightsReplication, preflight.RightsSelect, preflight.RightsReferences, preflight.RightsTriggers, preflight.RightsLedger,
	preflight.Replica, preflight.PreparedXA,
}

func TestRightsAreNamedAndMended(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			root, schema := newSchema(t, server)
			run(t, root, "CREATE TABLE p (id INT PRIMARY KEY)", "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE)")
			account, dsn := newAccount(t, root, server)
			run(t, root, "GRANT SELECT (id) ON p TO "+account)
			ledger := word("pf_led_")
			run(t, root, "CREATE DATABASE "+ledger, "CREATE TABLE "+ledger+".flags (id INT)", "CREATE TABLE "+ledger+".marks (id INT)")
			t.Cleanup(func() { dropAfter(t, root, "DATABASE "+ledger) })
			run(t, root, "GRANT SELECT ON "+ledger+".marks TO "+account)
			options := preflight.Options{DSN: dsn, Schemas: []string{schema}, Schema: ledger, Ledger: []preflight.Right{
				{Schema: ledger, Privileges: []string{"CREATE", "SELECT"}},
				{Schema: ledger, Table: "flags", Privileges: []string{"SELECT", "INSERT"}},
				{Schema: ledger, Table: "marks", Privileges: []string{"SELECT", "UPDATE"}},
			}}

			found := check(t, options)
			expect(t, found, preflight.Error, preflight.RightsSelect, account+" lacks SELECT on "+schema, "GRANT SELECT ON `"+strings.ReplaceAll(schema, "_", `\_`)+"`.* TO "+account+";")
			expect(t, found, preflight.Note, preflight.RightsTriggers, "GRANT TRIGGER ON ")
			expect(t, found, preflight.Error, preflight.RightsLedger, "CREATE, SELECT on "+ledger, "INSERT on "+ledger+".flags", "UPDATE on "+ledger+".marks",
				"GRANT CREATE, SELECT ON `"+strings.ReplaceAll(ledger, "_", `\_`)+"`.*", "GRANT UPDATE ON `"+ledger+"`.`marks`")
			expect(t, found, preflight.Note, preflight.SessionRights, "GRANT SELECT ON mysql.* TO "+account)
			expect(t, found, preflight.Note, preflight.SessionsUnseen, "can't be seen")
			if server.Name == "mariadb" {
				expect(t, found, preflight.Error, preflight.RightsReplication, "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO "+account+";")
				expect(t, found, preflight.Error, preflight.RightsReferences, "GRANT REFERENCES ON ")
				expect(t, found, preflight.Note, preflight.Replica, "GRANT SLAVE MONITOR ON *.* TO ")
			} else {
				expect(t, found, preflight.Error, preflight.RightsReplication, "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "+account+";")
				expect(t, found, preflight.Note, preflight.PreparedXA, "GRANT XA_RECOVER_ADMIN ON *.* TO ")
			}

			for _, f := range found {
				if slices.Contains(rightsOf, f.Topic) && f.Severity != preflight.Warning {
					run(t, root, mends(f)...)
				}
			}
			found = check(t, options)
			for _, f := range found {
				if slices.Contains(rightsOf, f.Topic) && f.Severity != preflight.Warning { // Others have prepared transactions.
					t.Errorf("after mending there is %+v", f)
				}
			}
			if server.Name == "mariadb" {
				expect(t, found, preflight.Warning, preflight.Cascades, schema+".c") // It was hidden before.
			}
		})
	}
}

// A process without the mirror is told of the server's settings, and of its own rights on Banyan's tables, and of no others.
func TestRightsOfAWriter(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			root, schema := newSchema(t, server)
			run(t, root, "CREATE TABLE p (id INT PRIMARY KEY)")
			account, dsn := newAccount(t, root, server)
			options := preflight.Options{DSN: dsn, Schemas: []string{schema}, Writes: true, Ledger: []preflight.Right{{Schema: schema, Table: "p", Privileges: []string{"SELECT", "INSERT"}}}}
			expect(t, check(t, options), preflight.Error, preflight.RightsLedger, "lacks SELECT, INSERT on "+schema+".p,")
			run(t, root, "GRANT SELECT ON p TO "+account)
			expect(t, check(t, options), preflight.Error, preflight.RightsLedger, "lacks INSERT on "+schema+".p,")
			run(t, root, "GRANT INSERT ON p TO "+account)
			for _, f := range check(t, options) {
				if f.Severity == preflight.Error {
					t.Errorf("got %+v", f)
				}
			}
		})
	}
}

func TestRightsByARole(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			root, schema := newSchema(t, server)
			run(t, root, "CREATE TABLE p (id INT PRIMARY KEY)")
			account, dsn := newAccount(t, root, server)
			role := newRole(t, root)
			monitor, preset := "BINLOG MONITOR, SLAVE MONITOR", "SET DEFAULT ROLE "+role+" FOR "+account
			if server.Name == "mysql" {
				monitor, preset = "REPLICATION CLIENT, XA_RECOVER_ADMIN", "SET DEFAULT ROLE "+role+" TO "+account
			}
			run(t, root, "GRANT REPLICATION SLAVE, "+monitor+" ON *.* TO "+role, "GRANT ALL ON `"+strings.ReplaceAll(schema, "_", `\_`)+"`.* TO "+role,
				"GRANT "+role+" TO "+account, preset)
			for _, f := range check(t, preflight.Options{DSN: dsn, Schemas: []string{schema}, Schema: schema, Ledger: []preflight.Right{{Schema: schema, Privileges: []string{"SELECT", "CREATE"}}}}) {
				if slices.Contains(rightsOf, f.Topic) && f.Severity != preflight.Warning { // As above.
					t.Errorf("got %+v", f)
				}
			}
		})
	}
}

func TestWhoMayEvadeTheLog(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			root, schema := newSchema(t, server)
			alone, _ := newAccount(t, root, server)
			member, _ := newAccount(t, root, server)
			role := newRole(t, root)
			right, written := "BINLOG ADMIN", "`"+role+"`"
			if server.Name == "mysql" {
				right, written = "SESSION_VARIABLES_ADMIN", "`"+role+"`@`%`"
			}
			run(t, root, "GRANT "+right+" ON *.* TO "+alone, "GRANT "+right+" ON *.* TO "+role, "GRANT "+role+" TO "+member)
			options := preflight.Options{DSN: server.DSN(""), Schemas: []string{schema}, MaxNames: 100}
			found := check(t, options)
			expect(t, found, preflight.Warning, preflight.SessionRights, alone, written+" (a role of ", member, "REVOKE "+right+" ON *.* FROM "+alone+";", "REVOKE "+right+" ON *.* FROM "+written+";")
			for _, f := range on(found, preflight.SessionRights) {
				for _, statement := range mends(f) {
					if strings.Contains(statement, alone) || strings.Contains(statement, role) {
						run(t, root, statement)
					}
				}
			}
			for _, f := range on(check(t, options), preflight.SessionRights) {
				if strings.Contains(f.What, alone) || strings.Contains(f.What, role) {
					t.Errorf("after mending there is %+v", f)
				}
			}
		})
	}
}

func dropAfter(t *testing.T, root *sql.DB, what string) {
	t.Helper()
	// The test's own context has ended.
	if _, err := root.Exec("DROP " + what); err != nil {
		t.Logf("%s stays: %v", what, err)
	}
}
