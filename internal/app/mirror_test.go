package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// mirrored is the project of testdata/notes.txtar with a mirror, on a database and a virtual host of its own.
type mirrored struct {
	dir, dsn, url string
	db            *sql.DB
	cfg           *config.Config
	broker        *devstack.Broker
}

func newMirrored(t *testing.T, server *devstack.Server, broker *devstack.Broker) *mirrored {
	t.Helper()
	return newMirroredWith(t, server, broker, "{max_bytes: 100MiB}")
}

func newMirroredWith(t *testing.T, server *devstack.Server, broker *devstack.Broker, history string) *mirrored {
	t.Helper()
	archive, err := os.ReadFile("testdata/notes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	p := &mirrored{dsn: server.NewSchema(t), broker: broker, url: broker.NewVHost(t)}
	parsed, err := mysql.ParseDSN(p.dsn)
	if err != nil {
		t.Fatal(err)
	}
	ledger := "l_" + parsed.DBName[:min(len(parsed.DBName), 40)]
	text := strings.Replace(string(archive), "listen:", fmt.Sprintf("broker: {url: %q}\nledger: {schema: %s}\nmirror: {history: %s}\nlisten:", p.url, ledger, history), 1)
	p.dir = apptest.Files(t, text)
	if p.db, err = sql.Open("mysql", p.dsn); err != nil {
		t.Fatal(err)
	}
	p.db.SetMaxIdleConns(0) // leaks are looked for while it is open
	t.Cleanup(func() {
		if _, err := p.db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+ledger); err != nil {
			t.Log(err)
		}
		p.db.Close()
	})
	schema, err := os.ReadFile(filepath.Join(p.dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(p.dsn, string(schema)); err != nil {
		t.Fatal(err)
	}
	var found bool
	cfg, faults := config.Load(filepath.Join(p.dir, "banyan.yaml"), func(name string) (string, bool) {
		found = found || name == "DSN"
		return p.dsn, name == "DSN"
	})
	if faults.Failed() || !found {
		t.Fatal(faults.Err())
	}
	p.cfg = cfg
	return p
}

func (p *mirrored) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := p.db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// status asks the admin listener.
func (p *mirrored) status(t *testing.T, s *apptest.Server) (*app.MirrorStatus, error) {
	t.Helper()
	answer, err := http.Get("http://" + s.Admin + "/status")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var status app.Status
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil {
		return nil, err
	}
	return status.Mirror, nil
}

// await waits until a server's mirror is in a phase.
func (p *mirrored) await(t *testing.T, s *apptest.Server, phase mirror.Phase) *app.MirrorStatus {
	t.Helper()
	var last *app.MirrorStatus
	apptest.Poll(t, "the mirror's phase", func() error {
		status, err := p.status(t, s)
		if err != nil {
			return err
		}
		if status == nil || status.Phase != phase {
			return fmt.Errorf("%+v", status)
		}
		last = status
		return nil
	})
	return last
}

// events gives the history up to now.
func (p *mirrored) events(t *testing.T) []change.Message {
	t.Helper()
	all, err := p.history(t)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (p *mirrored) history(t *testing.T) (all []change.Message, err error) {
	t.Helper()
	h, err := app.OpenHistory(t.Context(), p.cfg, rabbitmq.First(), true, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	for {
		d, err := h.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, d.Message)
	}
}

// awaitEvent reads on until an event has all the parts in its body.
func awaitEvent(t *testing.T, h *rabbitmq.History, parts ...string) *rabbitmq.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		d, err := h.Next(ctx)
		if err != nil {
			t.Fatalf("no event has %q: %v", parts, err)
		}
		all := true
		for _, part := range parts {
			all = all && strings.Contains(string(d.Body), part)
		}
		if all {
			return d
		}
	}
}

func originOf(d *rabbitmq.Delivery) string {
	var body struct {
		Origin string `json:"origin"`
	}
	_ = json.Unmarshal(d.Body, &body) // without one there is no origin
	return body.Origin
}

func (p *mirrored) tail(t *testing.T) *rabbitmq.History {
	t.Helper()
	h, err := app.OpenHistory(t.Context(), p.cfg, rabbitmq.First(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestEveryChangeBecomesAnEvent(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			p := newMirrored(t, server, devstack.RabbitMQ(t))
			noLeaks(t)
			s := apptest.Start(t, p.dir, p.dsn)
			p.await(t, s, mirror.PhaseLeading)
			h := p.tail(t)
			n := &notes{Server: s, dsn: p.dsn, db: p.db}
			if code, body, err := n.rest(t.Context(), "POST", "/v1/notes", `{"id": 77, "text": "by the facade", "big": "18446744073709551615"}`); err != nil || code != 200 {
				t.Fatalf("%d %s %v", code, body, err)
			}
			p.exec(t, "UPDATE notes SET body = 'behind its back' WHERE id = 77", "DELETE FROM notes WHERE id = 77")

			d := awaitEvent(t, h, `"op":"insert"`, `"by the facade"`, `"18446744073709551615"`)
			if d.Key != "row.notes.insert" || !strings.Contains(string(d.Body), `"key":{"id":"77"}`) || originOf(d) != mirror.OriginBanyan {
				t.Errorf("the insert is %s %s", d.Key, d.Body)
			}
			u := awaitEvent(t, h, `"op":"update"`, `"behind its back"`)
			if originOf(u) != mirror.OriginForeign || u.Version <= d.Version {
				t.Errorf("the update is %s, %s after %s", u.Body, u.Version, d.Version)
			}
			awaitEvent(t, h, `"op":"delete"`)

			// The position is saved when it stops, so that the next one goes on behind it.
			if err := s.Wait(t); err != nil {
				t.Fatal(err)
			}
			before := len(p.events(t))
			p.exec(t, "INSERT INTO notes (id, body, big) VALUES (78, 'while it was away', 1)")
			s = apptest.Start(t, p.dir, p.dsn)
			awaitEvent(t, h, `"op":"insert"`, `"while it was away"`)
			if err := s.Wait(t); err != nil {
				t.Fatal(err)
			}
			if after := len(p.events(t)); after != before+1 {
				t.Errorf("there were %d events, and are %d", before, after)
			}
		})
	}
}

func TestAnotherProcessTakesOver(t *testing.T) {
	p := newMirrored(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t))
	noLeaks(t)
	first := apptest.Start(t, p.dir, p.dsn)
	led := p.await(t, first, mirror.PhaseLeading)
	second := apptest.Start(t, p.dir, p.dsn)
	if status, err := p.status(t, second); err != nil || status.Phase == mirror.PhaseLeading {
		t.Fatalf("two lead: %+v, %v", status, err)
	}
	h := p.tail(t)
	p.exec(t, "INSERT INTO notes (id, body, big) VALUES (1001, 'one', 1)")
	awaitEvent(t, h, `"one"`)
	if err := first.Wait(t); err != nil {
		t.Fatal(err)
	}
	status := p.await(t, second, mirror.PhaseLeading)
	if status.Term <= led.Term || status.Epoch != led.Epoch {
		t.Errorf("term %d follows %d, epoch %d follows %d", status.Term, led.Term, status.Epoch, led.Epoch)
	}
	p.exec(t, "INSERT INTO notes (id, body, big) VALUES (1002, 'two', 1)")
	if d := awaitEvent(t, h, `"two"`); d.Term != fmt.Sprint(status.Term) {
		t.Errorf("the event is of term %s", d.Term)
	}
}

func TestAPurgedLogStopsTheMirrorUntilItIsReset(t *testing.T) {
	database := devstack.OwnMariaDB(t)
	p := newMirrored(t, &database.Server, devstack.RabbitMQ(t))
	noLeaks(t)
	s := apptest.Start(t, p.dir, p.dsn)
	p.await(t, s, mirror.PhaseLeading)
	if err := s.Wait(t); err != nil {
		t.Fatal(err)
	}
	p.exec(t, "INSERT INTO notes (id, body, big) VALUES (1001, 'lost', 1)", "FLUSH BINARY LOGS")
	apptest.Poll(t, "the log is purged", func() error { // the server keeps a file until it notices that its reader has gone
		p.exec(t, "FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 HOUR")
		var first, size string
		if err := p.db.QueryRowContext(t.Context(), "SHOW BINARY LOGS").Scan(&first, &size); err != nil {
			return err
		}
		if first == "binlog.000001" {
			return errors.New("it still has " + first)
		}
		return nil
	})

	s = apptest.Start(t, p.dir, p.dsn)
	stopped := p.await(t, s, mirror.PhaseStopped)
	if stopped.Stop == nil || !strings.Contains(stopped.Stop.Fix, "banyan mirror reset") {
		t.Errorf("it says %+v", stopped.Stop)
	}
	n := &notes{Server: s, dsn: p.dsn, db: p.db}
	if code, body, err := n.rest(t.Context(), "GET", "/v1/notes/1001", ""); err != nil || code != 200 {
		t.Errorf("the facade answers %d %s %v", code, body, err)
	}
	r, err := app.PlanReset(t.Context(), p.cfg, "", "now", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	leading := p.await(t, s, mirror.PhaseLeading)
	if leading.Epoch != r.Before.Epoch+1 {
		t.Errorf("the epoch is %d after %d", leading.Epoch, r.Before.Epoch)
	}
	p.exec(t, "INSERT INTO notes (id, body, big) VALUES (1002, 'sent', 1)")
	if d := awaitEvent(t, p.tail(t), `"sent"`); !strings.HasPrefix(d.Version, fmt.Sprintf("%04x-", leading.Epoch)) {
		t.Errorf("the version is %s", d.Version)
	}
}

func TestAnUnreadablePositionCanBeReset(t *testing.T) {
	p := newMirrored(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t))
	noLeaks(t)
	r, err := app.PlanReset(t.Context(), p.cfg, "", "now", nil) // before any mirror has run
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.exec(t, "UPDATE "+p.cfg.Ledger.Schema.String()+".mirrors SET position = '[]'")
	s := apptest.Start(t, p.dir, p.dsn)
	if stopped := p.await(t, s, mirror.PhaseStopped); stopped.Stop == nil || !strings.Contains(stopped.Stop.Fix, "banyan mirror reset") {
		t.Errorf("it says %+v", stopped.Stop)
	}
	again, err := app.PlanReset(t.Context(), p.cfg, "", "now", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.await(t, s, mirror.PhaseLeading)
}

func TestRolesRunApart(t *testing.T) {
	p := newMirrored(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t))
	noLeaks(t)
	alone := apptest.Start(t, p.dir, p.dsn, app.RoleMirror)
	if alone.REST != "" || alone.GRPC != "" {
		t.Errorf("the mirror listens on %+v", alone.Addresses)
	}
	p.await(t, alone, mirror.PhaseLeading)
	facade := apptest.Start(t, p.dir, p.dsn, app.RoleFacade)
	if status, err := p.status(t, facade); err != nil || status != nil {
		t.Errorf("the facade has a mirror: %+v, %v", status, err)
	}
	n := &notes{Server: facade, dsn: p.dsn, db: p.db}
	if code, body, err := n.rest(t.Context(), "POST", "/v1/notes", `{"id": 5, "text": "apart"}`); err != nil || code != 200 {
		t.Fatalf("%d %s %v", code, body, err)
	}
	awaitEvent(t, p.tail(t), `"apart"`)
}

func TestMetricsShowTheMirror(t *testing.T) {
	p := newMirrored(t, &devstack.MariaDB(t).Server, devstack.RabbitMQ(t))
	noLeaks(t)
	s := apptest.Start(t, p.dir, p.dsn)
	p.await(t, s, mirror.PhaseLeading)
	p.exec(t, "INSERT INTO notes (id, body, big) VALUES (1001, 'x', 1)")
	apptest.Poll(t, "the metrics", func() error {
		answer, err := http.Get("http://" + s.Admin + "/metrics")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		for _, want := range []string{
			`banyan_mirror_confirmed_total{mirror="main"} 1`, `banyan_mirror_events_total{mirror="main",op="insert"} 1`, `banyan_mirror_phase{mirror="main",phase="leading"} 1`,
			`banyan_mirror_lag_seconds{mirror="main"} 0`, "banyan_mirror_lag_bytes{", "banyan_mirror_read_file{", "banyan_mirror_saved_offset{", `banyan_mirror_stopped{mirror="main"} 0`,
			`banyan_mirror_waiting{mirror="main"} 0`,
		} {
			if !strings.Contains(string(text), want) {
				return fmt.Errorf("%q is not there", want)
			}
		}
		return nil
	})
}
