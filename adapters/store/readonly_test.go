package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/devstack"
)

// demotable gives a private server's administrator, and options of an account that read_only binds.
func demotable(t *testing.T) (root *sql.DB, o store.Options) {
	t.Helper()
	server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true})
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
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	root = admin(t, server.DSN(""))
	migrated(t, store.Options{DSN: server.DSN(""), Logger: slog.New(slog.DiscardHandler)})
	exec(t, root, "CREATE USER poor@'%' IDENTIFIED BY 'p'")
	exec(t, root, "GRANT SELECT, INSERT, UPDATE, DELETE ON banyan.* TO poor@'%'")
	cfg, err := mysql.ParseDSN(server.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	cfg.User, cfg.Passwd, cfg.RejectReadOnly = "poor", "p", true
	return root, store.Options{DSN: cfg.FormatDSN(), Schema: "banyan", Mirror: "mirror", Logger: slog.New(slog.DiscardHandler)}
}

func wantReadOnly(t *testing.T, what string, err error) {
	t.Helper()
	var said *mysql.MySQLError
	if !errors.Is(err, store.ErrReadOnly) || !errors.As(err, &said) {
		t.Errorf("%s: got %v, want ErrReadOnly and what the server said", what, err)
	}
}

func TestADemotedServerIsLeft(t *testing.T) {
	root, o := demotable(t)
	heart, err := store.NewHeartbeat(o)
	if err != nil {
		t.Fatal(err)
	}
	defer heart.Close()
	if _, err := heart.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	slow := o
	slow.KeepAlive, slow.WaitTimeout, slow.Mirror = time.Minute, 2*time.Minute, "slow"
	quick, unaware := open(t, o), open(t, slow)
	term, late := lead(t, quick), lead(t, unaware)
	if err := late.Save(t.Context(), at(1)); err != nil {
		t.Fatal(err)
	}
	old := lastConnection(t, root)

	exec(t, root, "SET GLOBAL read_only = 1")
	within(t, takeover, term.Lost(), "the leader's notice")
	wantDeposed(t, term.Save(t.Context(), at(2)))
	wantReadOnly(t, "save", late.Save(t.Context(), at(2)))
	_, err = late.NewEpoch(t.Context(), at(2))
	wantReadOnly(t, "raise the epoch", err)
	_, err = heart.Beat(t.Context())
	wantReadOnly(t, "beat", err)
	if _, err := quick.Lead(t.Context()); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("lead: got %v, want ErrReadOnly", err)
	}
	_, err = open(t, o).Lead(t.Context())
	wantReadOnly(t, "lead anew", err)
	_, err = store.RegisterWriter(t.Context(), o, "r", 1)
	wantReadOnly(t, "register", err)
	select {
	case <-late.Lost():
		t.Error("a term that has not looked is lost")
	default:
	}

	exec(t, root, "SET GLOBAL read_only = 0")
	if _, err := heart.Beat(t.Context()); err != nil {
		t.Error(err)
	}
	if err := late.Save(t.Context(), at(3)); err != nil {
		t.Error(err)
	}
	var stayed int
	query := "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'poor' AND ID <= ? AND ID <> IS_USED_LOCK(?)"
	if err := root.QueryRowContext(t.Context(), query, old, store.LockName(slow)).Scan(&stayed); err != nil || stayed > 0 {
		t.Errorf("%d connections stay on the server that was read-only, %v", stayed, err)
	}
}

// lastConnection gives the newest of the account's connections.
func lastConnection(t *testing.T, root *sql.DB) (id int64) {
	t.Helper()
	if err := root.QueryRowContext(t.Context(), "SELECT MAX(ID) FROM information_schema.PROCESSLIST WHERE USER = 'poor'").Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// Who may write in spite of read_only gives up a server that becomes so, and can lead on one that was so from the start.
func TestAPrivilegedLeaderOfADemotedServer(t *testing.T) {
	root, o := demotable(t)
	exec(t, root, "GRANT READ_ONLY ADMIN ON *.* TO poor@'%'")
	o.KeepAlive = 10 * time.Millisecond
	s, standby := open(t, o), open(t, o)
	term := lead(t, s)
	next := contend(t, standby)
	waits(t, o)
	exec(t, root, "SET GLOBAL read_only = 1")
	within(t, takeover, term.Lost(), "the leader's notice")
	select {
	case w := <-next:
		if !errors.Is(w.err, store.ErrReadOnly) {
			t.Errorf("who waited got %v, want ErrReadOnly", w.err)
		}
	case <-time.After(takeover):
		t.Fatal("who waits was not told")
	}
	if _, err := s.Lead(t.Context()); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("who led got %v, want ErrReadOnly", err)
	}
	term = lead(t, open(t, o))
	var name string
	var selects, first int
	eventually(t, func() error { // it looks again and again
		if err := root.QueryRowContext(t.Context(), "SHOW GLOBAL STATUS LIKE 'Com_select'").Scan(&name, &selects); err != nil {
			return err
		}
		if first == 0 {
			first = selects
		}
		if selects < first+5 {
			return fmt.Errorf("%d looks", selects-first)
		}
		return nil
	})
	if err := term.Save(t.Context(), at(1)); err != nil {
		t.Error(err)
	}
}
