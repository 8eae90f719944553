package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/binlog/preflight"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
	"banyan.dev/banyan/strangler/retirement"
)

// grantLab is a project with all that needs rights, and what it needs them for. Its broker is never asked.
type grantLab struct {
	dir, dsn, schema, ledger string
	db                       *sql.DB
}

func newGrantLab(t *testing.T, server *devstack.Server) *grantLab {
	t.Helper()
	l := &grantLab{dir: t.TempDir(), dsn: server.NewSchema(t)}
	parsed, err := mysql.ParseDSN(l.dsn)
	if err != nil {
		t.Fatal(err)
	}
	l.schema = parsed.DBName
	l.ledger = "l_" + l.schema[:min(len(l.schema), 40)]
	if err := boxes.LayOut(l.dir); err != nil {
		t.Fatal(err)
	}
	config, err := os.OpenFile(filepath.Join(l.dir, "banyan.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = config.WriteString("\nversions: {boxes.v1: {deprecated: 2026-11-01}}\n")
		err = errors.Join(err, config.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile(filepath.Join(l.dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(l.dsn, string(schema)); err != nil {
		t.Fatal(err)
	}
	if l.db, err = sql.Open("mysql", l.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := l.db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+l.ledger); err != nil {
			t.Log(err)
		}
		l.db.Close()
	})
	return l
}

// project loads it with an account.
func (l *grantLab) project(t *testing.T, dsn string) *app.Project {
	t.Helper()
	environment := map[string]string{
		"BANYAN_LEGACY_DSN": dsn, "BANYAN_BROKER_URL": "amqp://u:p@127.0.0.1:1/", "BANYAN_LEDGER": l.ledger, "SERVICE": "127.0.0.1:1", "BANYAN_GRACE": "1s",
		"BANYAN_REST": "127.0.0.1:0", "BANYAN_GRPC": "127.0.0.1:0", "BANYAN_ADMIN": "127.0.0.1:0",
	}
	p, faults := app.Load(t.Context(), filepath.Join(l.dir, "banyan.yaml"), func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return p
}

func (l *grantLab) options(dsn string) store.Options {
	return store.Options{DSN: dsn, Schema: l.ledger, Logger: slog.New(slog.DiscardHandler)}
}

func (l *grantLab) exec(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := l.db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// No grant is superfluous: with all of them, each role does all that it has to, and with one privilege less it can't.
func TestNoGrantIsSuperfluous(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		for role, do := range map[app.Role]func(l *grantLab, t *testing.T, dsn string) error{
			app.RoleFacade: (*grantLab).facade, app.RoleMirror: (*grantLab).mirror, app.RoleMigrate: (*grantLab).migrate,
		} {
			t.Run(server.Name+"/"+string(role), func(t *testing.T) {
				l := newGrantLab(t, server)
				if role != app.RoleMigrate {
					if err := store.Migrate(t.Context(), l.options(l.dsn)); err != nil {
						t.Fatal(err)
					}
				}
				project := l.project(t, l.dsn)
				account := apptest.Grant(t, project, role)
				if err := do(l, t, account.DSN); err != nil {
					t.Fatalf("with all grants: %v", err)
				}
				grants, err := project.Grants(t.Context(), app.GrantOptions{Roles: []app.Role{role}, Account: account.Name})
				if err != nil || len(grants.Grants) == 0 || len(grants.Notes) > 0 || !grants.Live || grants.Server != server.Name {
					t.Fatalf("got %+v, %v", grants, err)
				}
				for _, g := range grants.Grants {
					for _, p := range g.Privileges {
						account.Run("REVOKE " + p + " ON " + g.On + " FROM " + account.Name)
						if err := do(l, t, account.DSN); err == nil {
							t.Errorf("nobody misses %s ON %s", p, g.On)
						}
						account.Run("GRANT " + p + " ON " + g.On + " TO " + account.Name)
					}
				}
				if err := do(l, t, account.DSN); err != nil {
					t.Errorf("with all grants again: %v", err)
				}
			})
		}
	}
}

// migrate makes Banyan's own tables anew.
func (l *grantLab) migrate(t *testing.T, dsn string) error {
	l.exec(t, "DROP DATABASE IF EXISTS "+l.ledger)
	if err := store.Migrate(t.Context(), l.options(dsn)); err != nil {
		return err
	}
	return store.Check(t.Context(), l.options(dsn))
}

// mirror does what a process with the mirror alone does: find out whether it can, read the log, lead, read entities.
func (l *grantLab) mirror(t *testing.T, dsn string) error {
	ctx, p := t.Context(), l.project(t, dsn)
	found, err := preflight.Check(ctx, preflight.Options{DSN: dsn, Schema: l.ledger, Schemas: []string{l.schema}})
	if err != nil {
		return err
	}
	for _, f := range found {
		if f.Severity == preflight.Error {
			err = errors.Join(err, errors.New(f.What))
		}
	}
	return errors.Join(err, l.verified(t, p, func(conns *pool.Pool) error {
		faults, err := p.Program.VerifyEvents(ctx, conns, []protoreflect.FullName{"boxes.v1.Box"})
		return errors.Join(err, faults.Err())
	}), l.leads(t, dsn), l.setsApart(t, dsn), tails(ctx, dsn))
}

// setsApart keeps what can't be read, and forgets it again.
func (l *grantLab) setsApart(t *testing.T, dsn string) error {
	ctx, o := t.Context(), l.options(dsn)
	o.Mirror = "service.boxes"
	u, err := store.NewUnread(o)
	if err != nil {
		return err
	}
	defer u.Close()
	one := mirror.Unreadable{EntityName: mirror.EntityName{Entity: "boxes.v1.Box", ID: "1"}, Since: time.Unix(1, 0), Committed: time.Unix(1, 0)}
	_, err = u.Load(ctx)
	for range 2 {
		err = errors.Join(err, u.Keep(ctx, []mirror.Unreadable{one}), u.Passed(ctx, "f", []string{"boxes.v1.Box"}))
	}
	return errors.Join(err, u.Forget(ctx, []mirror.Unreadable{one}))
}

// tails begins to read the log at its end.
func tails(ctx context.Context, dsn string) error {
	source, err := binlog.New(binlog.Options{DSN: dsn})
	if err != nil {
		return err
	}
	defer source.Close()
	end, err := source.Tail(ctx)
	if err != nil {
		return err
	}
	stream, err := source.Open(ctx, end)
	if err != nil {
		return err
	}
	return stream.Close()
}

func (l *grantLab) leads(t *testing.T, dsn string) error {
	ctx, o := t.Context(), l.options(dsn)
	if err := store.Check(ctx, o); err != nil {
		return err
	}
	heart, err := store.NewHeartbeat(o)
	if err != nil {
		return err
	}
	defer heart.Close()
	_, err = heart.Beat(ctx)
	s, serr := store.New(o)
	if serr != nil {
		return serr
	}
	defer s.Close()
	term, lerr := s.Lead(ctx)
	if lerr != nil {
		return errors.Join(err, lerr)
	}
	at := term.State().Position
	at.Server, at.File, at.Offset = "1", "binlog.000001", 4
	return errors.Join(err, term.Save(ctx, at), term.Close(), l.fills(t, o), l.announces(t, o))
}

// verified runs something on a pool of a project's account.
func (l *grantLab) verified(t *testing.T, p *app.Project, do func(conns *pool.Pool) error) error {
	t.Helper()
	conns, err := pool.Open(pool.Options{DSN: p.Config.Legacy.DSN.Reveal(), TimeZone: "+00:00", MaxOpen: 4, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer conns.Close()
	return do(conns)
}

// facade does what a process with the facade does in legacy: everything that there is a statement for.
func (l *grantLab) facade(t *testing.T, dsn string) error {
	ctx, o, p := t.Context(), l.options(dsn), l.project(t, dsn)
	l.exec(t, "INSERT IGNORE INTO boxes VALUES (1, 7)", "DELETE FROM "+l.ledger+".writes", "DELETE FROM "+l.ledger+".fences", "DELETE FROM "+l.ledger+".capabilities", "DELETE FROM "+l.ledger+".replicas",
		"DELETE FROM "+l.ledger+".idempotency", "DELETE FROM "+l.ledger+".settled", "DELETE FROM "+l.ledger+".epochs")
	w, err := store.NewWriter(o, "r", 8)
	if err != nil {
		return err
	}
	defer func() { _ = w.Deregister(context.WithoutCancel(ctx)) }()
	err = errors.Join(store.Check(ctx, o), w.Register(ctx), w.Drained(ctx))
	_, rerr := w.Registered(ctx)
	err = errors.Join(err, rerr, l.shifts(t, o), l.callers(t, o))
	err = errors.Join(err, l.verified(t, p, func(conns *pool.Pool) error {
		faults, err := p.Program.Verify(ctx, conns)
		return errors.Join(err, faults.Err())
	}), l.writes(t, p, w))
	return errors.Join(err, w.Deregister(ctx))
}

// callers counts callers, and forgets those of long ago.
func (l *grantLab) callers(t *testing.T, o store.Options) error {
	ctx := t.Context()
	c, err := store.NewCallers(o)
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.Watch(ctx, []string{"o"})
	for range 2 {
		err = errors.Join(err, c.Add(ctx, []retirement.Use{{Operation: "o", Client: "till", Day: time.Unix(0, 0), Calls: 1, Last: time.Unix(1, 0)}}))
	}
	_, e1 := c.Callers(ctx, []string{"o"}, time.Unix(0, 0), 1)
	_, e2 := c.Sweep(ctx, time.Now())
	l.exec(t, "DELETE FROM "+l.ledger+".watched")
	return errors.Join(err, e1, e2)
}

// shifts uses the control store and the coordinator's part of the ledger.
func (l *grantLab) shifts(t *testing.T, o store.Options) error {
	ctx := t.Context()
	c, err := store.NewControl(o)
	if err != nil {
		return err
	}
	defer c.Close()
	record := control.Record{Capability: "boxes", State: json.RawMessage(`{}`), Flag: flags.Flag{Capability: "boxes", Version: 1, Phase: flags.Steady}}
	record.Flag.From = json.RawMessage(`{"state": "ENABLED", "variants": {"off": "off"}, "defaultVariant": "off"}`)
	record.Flag.To = record.Flag.From
	err = c.Ensure(ctx, record)
	record.Revision = 1
	err = errors.Join(err, c.Save(ctx, record, control.Audit{Capability: "boxes", Version: 1, Who: "ann", What: "shift"}))
	_, e1 := c.Records(ctx)
	_, e2 := c.History(ctx, "boxes", 1)
	e3 := c.Join(ctx, control.Joining{Replica: "r", Address: "127.0.0.1:1"})
	_, e4 := c.Exchange(ctx, control.Report{Replica: "r", Renew: true})
	_, e5 := c.Replicas(ctx)
	_, e6 := c.Fence(ctx, "r")
	_, e7 := c.Passed(ctx, "f", "boxes.v1.Box")
	_, e8 := c.Unread(ctx, "s", "boxes.v1.Box")
	err = errors.Join(err, e1, e2, e3, e4, e5, e6, e7, e8, c.Forget(ctx, "r"), c.Leave(ctx, "r"))

	ledger, lerr := store.NewLedger(o)
	if lerr != nil {
		return lerr
	}
	defer ledger.Close()
	_, e1 = ledger.List(ctx, "", "", 1)
	e2 = ledger.SendFence(ctx, control.FenceRow{ID: "f", Service: "s", Capability: "boxes", Epoch: 1, ReplyTo: "q"})
	e3 = ledger.Announce(ctx, control.Announcement{Service: "s", Capability: "boxes", Epoch: 1, Entity: "boxes.v1.Box", IDs: []string{"1"}})
	l.exec(t, "UPDATE "+l.ledger+".fences SET created_at = NOW() - INTERVAL 2 DAY", "UPDATE "+l.ledger+".announcements SET created_at = NOW() - INTERVAL 2 DAY",
		"INSERT INTO "+l.ledger+".fences (id, service, capability, epoch, reply_to, void, created_at) VALUES ('old', 's', 'boxes', 1, 'q', '[]', NOW() - INTERVAL 2 DAY)",
		"INSERT INTO "+l.ledger+".announcements (service, entity, ids, created_at) VALUES ('s', 'boxes.v1.Box', '[]', NOW() - INTERVAL 2 DAY)",
		"INSERT INTO "+l.ledger+".writes (id, capability, operation, epoch, replica, state, request, created_at, changed_at) VALUES ('old', 'boxes', 'o', 1, 'r', 'closed', '', NOW() - INTERVAL 2 DAY, NOW() - INTERVAL 2 DAY)")
	l.exec(t, "INSERT INTO "+l.ledger+".settled (id, carried, created_at) VALUES ('gone', 0, NOW() - INTERVAL 2 DAY)")
	_, e4 = ledger.SweepWrites(ctx)
	err = errors.Join(err, ledger.Settle(ctx, "boxes", []string{"nobody"}, nil))
	_, e5 = ledger.Void(ctx, "boxes", 1, []string{"nobody"}, "a test")
	_, _, e6 = ledger.Voids(ctx, "boxes", 1, 1, "", 1)
	return errors.Join(err, e1, e2, e3, e4, e5, e6, ledger.Settled(ctx, "boxes", 1))
}

// errFarEnough ends a write-back behind its lock.
var errFarEnough = errors.New("far enough")

// writes opens a live write, and brings it back as far as without a new service.
func (l *grantLab) writes(t *testing.T, p *app.Project, w *store.Writer) error {
	ctx := t.Context()
	return l.verified(t, p, func(*pool.Pool) error {
		conns, err := pool.Open(pool.Options{DSN: p.Config.Legacy.DSN.Reveal(), TimeZone: "+00:00", MaxOpen: 4, Logger: slog.New(slog.DiscardHandler), Marker: w})
		if err != nil {
			return err
		}
		defer conns.Close()
		backend := legacy.New(p.Program, conns, 1<<20)
		backend.WithKeys(legacy.NewKeys(legacy.KeyOptions{Schema: l.ledger, Keep: time.Hour, MaxReply: 1 << 20}))
		ledger := legacy.NewWrites(backend, l.ledger, "r", map[string]protoreflect.FullName{"boxes": "boxes.v1.Box"})
		write := &strangler.Write{ID: "w", Capability: "boxes", Operation: "o", Entity: "1", Epoch: 1, Idempotency: &strangler.Idempotency{Key: "k"}}
		again := *write
		again.ID = "again"
		err = ledger.Open(ctx, write)
		err = errors.Join(err, lacks(ledger.Open(ctx, &again))) // its key is in use
		l.exec(t, "UPDATE "+l.ledger+".writes SET state = 'void'", "UPDATE "+l.ledger+".idempotency SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
		err = errors.Join(err, lacks(ledger.Open(ctx, &again))) // and is free again
		l.exec(t, "UPDATE "+l.ledger+".writes SET state = 'open'", "UPDATE "+l.ledger+".idempotency SET write_id = NULL, expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
		_, swept := backend.SweepKeys(ctx)
		err = errors.Join(err, swept)
		back := ledger.WriteBack(ctx, write, nil, func(context.Context) (*contract.Payload, error) { return nil, errFarEnough })
		if !errors.Is(back, errFarEnough) {
			err = errors.Join(err, fmt.Errorf("the write-back: %w", back))
		}
		_, _, found := ledger.Find(ctx, "w", "")
		return errors.Join(err, found, ledger.Finish(ctx, "w", strangler.WriteVoid, "a test"))
	})
}

// lacks gives an error that comes of a right that is missing.
func lacks(err error) error {
	var denied *mysql.MySQLError
	if errors.As(err, &denied) {
		return err
	}
	return nil
}
