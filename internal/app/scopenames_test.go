package app_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/mirror"
)

// A server that makes names lower case finds Shop and Banyan, and logs shop and banyan.
func TestNamesInAnotherCaseThanTheLogs(t *testing.T) {
	server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true, Settings: map[string]string{"lower_case_table_names": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, tables := range []string{"", "tables: ['NOTES'], except: ['Shop.?udit']"} {
		t.Run(tables, func(t *testing.T) {
			p := newMirroredIn(t, &server.Server, devstack.RabbitMQ(t), "Shop", "Banyan", tables)
			noLeaks(t)
			s := apptest.Start(t, p.dir, p.dsn)
			p.await(t, s, mirror.PhaseLeading)
			h, n := p.tail(t), &notes{Server: s, dsn: p.dsn, db: p.db}
			if code, body, err := n.rest(t.Context(), "POST", "/v1/notes", `{"id": 77, "text": "by the facade"}`); err != nil || code != 200 {
				t.Fatalf("%d %s %v", code, body, err)
			}
			p.exec(t, "UPDATE Notes SET body = 'behind its back' WHERE id = 77")
			if d := awaitEvent(t, h, `"by the facade"`); originOf(d) != mirror.OriginBanyan || d.Key != "row.notes.insert" {
				t.Errorf("the insert is %s %s", d.Key, originOf(d))
			}
			if d := awaitEvent(t, h, `"behind its back"`); originOf(d) != mirror.OriginForeign {
				t.Errorf("the update is %s", originOf(d))
			}
			if err := s.Wait(t); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestGlobsThatMatchNothingAreTold(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := newMirrored(t, server, devstack.RabbitMQ(t))
			p.exec(t, "CREATE TABLE people (id INT PRIMARY KEY, Password INT)")
			file := filepath.Join(p.dir, "banyan.yaml")
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			const scope = "mirror:\n  tables: [notes, people, ordrs]\n  except:\n    - '*.audit_*'\n    - no*s\n  omit_columns: [people.PASSWORD, people.pasword, '*.people.passwor?', 'nosuch.people.password']\n "
			changed := strings.Replace(string(text), "mirror: {", scope+" history: {", 1)
			changed = strings.Replace(changed, "history: {history:", "history:", 1)
			changed = strings.Replace(changed, "max_bytes: 100MiB}}", "max_bytes: 100MiB}", 1)
			if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			project, faults := app.Load(t.Context(), file, func(string) (string, bool) { return p.dsn, true })
			if err := faults.Err(); err != nil {
				t.Fatal(err)
			}
			before, _, _ := strings.Cut(changed, "mirror:")
			at := 1 + strings.Count(before, "\n")
			var got []string
			found := project.Verify(t.Context(), app.AllRoles())
			for _, f := range found.All() {
				if before, _, ok := strings.Cut(f.Message, " matches no "); ok {
					got = append(got, fmt.Sprintf("%d: %s", f.Pos.Line-at, strings.TrimPrefix(before, p.schema()+".")))
					if f.Severity != fault.Warning {
						t.Errorf("%v is a %v", f, f.Severity)
					}
				}
			}
			slices.Sort(got)
			if want := "[1: ordrs 3: *.audit_* 5: nosuch.people.password 5: people.pasword]"; fmt.Sprint(got) != want {
				t.Errorf("told of %q, want %s", got, want)
			}
		})
	}
}

// newMirroredIn is newMirrored with names of its own for the schema and the ledger, and more keys of mirror.
func newMirroredIn(t *testing.T, server *devstack.Server, broker *devstack.Broker, schema, ledger, keys string) *mirrored {
	t.Helper()
	p := newMirrored(t, server, broker)
	p.exec(t, "DROP DATABASE IF EXISTS "+schema, "DROP DATABASE IF EXISTS "+ledger, "CREATE DATABASE "+schema)
	p.dsn = server.DSN(schema)
	file := filepath.Join(p.dir, "banyan.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "ledger: {schema: "+p.cfg.Ledger.Schema.String()+"}", "ledger: {schema: "+ledger+"}", 1)
	if keys != "" {
		changed = strings.Replace(changed, "mirror: {", "mirror: {"+keys+", ", 1)
	}
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	tables, err := os.ReadFile(filepath.Join(p.dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(p.dsn, string(tables)); err != nil {
		t.Fatal(err)
	}
	named := *p
	if named.db, err = sql.Open("mysql", p.dsn); err != nil {
		t.Fatal(err)
	}
	named.db.SetMaxIdleConns(0) // leaks are looked for while it is open
	t.Cleanup(func() { named.db.Close() })
	return &named
}

func (p *mirrored) schema() string {
	cfg, err := mysql.ParseDSN(p.dsn)
	if err != nil {
		return ""
	}
	return cfg.DBName
}
