package binlog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror/change"
)

func wantStop(t testing.TB, err error, texts ...string) {
	t.Helper()
	stop := change.Stops(err)
	if stop == nil {
		t.Fatalf("got %v, want a StopError", err)
	}
	for _, text := range texts {
		if !strings.Contains(stop.Error(), text) {
			t.Errorf("%q does not say %q", stop, text)
		}
	}
}

// fails reads until there is an error.
func fails(t testing.TB, s change.Stream) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := s.Next(ctx); err != nil {
			return err
		}
	}
}

func TestKilledServerMayPass(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	b := newBench(t, server.NewSchema(t))
	b.exec("CREATE TABLE t (id INT PRIMARY KEY)")
	from := b.tail()
	s := b.open(from)
	b.session("INSERT INTO t VALUES (1)")
	first, err := b.readStream(s, b.tail())
	if err != nil {
		t.Fatal(err)
	}
	done := server.Done()
	server.Kill()
	<-done
	if err := fails(t, s); change.Stops(err) != nil {
		t.Fatalf("a dead server stops the mirror: %v", err)
	}
	if err := fails(t, s); err == nil {
		t.Fatal("there is more after an error")
	}
	if _, err := b.source.Open(t.Context(), from); err == nil || change.Stops(err) != nil {
		t.Fatalf("a dead server is opened, or stops the mirror: %v", err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.session("INSERT INTO t VALUES (2)")
	all := b.read(from, b.tail())
	b.want(lines(all), "insert t (id=1)", "insert t (id=2)")
	if all[0] != first[0] {
		t.Errorf("after the restart there is %+v, before it was %+v", all[0], first[0])
	}
	sameFromEachEnd(b, all)
}

func TestMissingLogsStop(t *testing.T) {
	server := devstack.OwnMariaDB(t)
	b := newBench(t, server.NewSchema(t))
	b.exec("CREATE TABLE t (id INT PRIMARY KEY)")
	b.session("XA START 'old'", "INSERT INTO t VALUES (7)", "XA END 'old'", "XA PREPARE 'old'")
	first := b.tail()
	b.session("INSERT INTO t VALUES (1)", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2)")
	second := b.tail()

	beyond := second
	beyond.Offset += 1000
	_, err := b.source.Open(t.Context(), beyond)
	wantStop(t, err, "before the mirror's position", "banyan mirror reset")

	wrong := second
	wrong.GTIDs = "0-1-1"
	_, err = b.source.Open(t.Context(), wrong)
	wantStop(t, err, "other transactions")

	other := second
	other.Server, other.GTIDs = "elsewhere", ""
	_, err = b.source.Open(t.Context(), other)
	wantStop(t, err, "has no GTIDs")

	other.GTIDs = first.GTIDs
	all := b.read(change.Position{Server: "elsewhere", File: "x.1", Offset: 7, GTIDs: first.GTIDs}, b.tail())
	b.want(lines(all), "insert t (id=1)", "insert t (id=2)")
	here := b.read(first, b.tail())
	if !slices.ContainsFunc(here, func(h happened) bool { return h == all[0] }) {
		t.Errorf("by GTIDs there is %+v, by place %+v", all[0], here)
	}

	b.session("PURGE BINARY LOGS TO '" + second.File + "'")
	_, err = b.source.Open(t.Context(), first)
	wantStop(t, err, "no longer has the log", "banyan mirror reset")
	s, err := b.source.Open(t.Context(), other)
	if err == nil {
		err = fails(t, s)
		_ = s.Close()
	}
	wantStop(t, err, "banyan mirror reset")

	b.session("XA COMMIT 'old'")
	wantStop(t, fails(t, b.open(second)), "prepared in a log that is no longer there")
}

func TestSettingsThatHideChangesStop(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "INSERT INTO t VALUES (1, 2, 3)")
		from := b.tail()
		b.session("SET SESSION binlog_row_image = MINIMAL", "UPDATE t SET a = 5")
		wantStop(t, fails(t, b.open(from)), "binlog_row_image = FULL")

		b.want(b.since("SET SESSION binlog_format = STATEMENT", "UPDATE t SET a = a + 1", "INSERT INTO t VALUES (9, 9, 9)", "DELETE t FROM t JOIN t u USING (id) WHERE t.id = 5"),
			"opaque t", "opaque t", "opaque")
		if mariadb {
			return
		}
		b.session("CREATE TABLE j (id INT PRIMARY KEY, v JSON)", `INSERT INTO j VALUES (1, '{"a": 1, "b": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}')`)
		from = b.tail()
		b.session("SET SESSION binlog_row_value_options = PARTIAL_JSON", `UPDATE j SET v = JSON_SET(v, '$.a', 2)`)
		wantStop(t, fails(t, b.open(from)), "binlog_row_value_options")
	})
}

func TestAccountsWithoutRightsStop(t *testing.T) {
	server := devstack.MariaDB(t)
	b := newBench(t, server.NewSchema(t))
	b.exec("CREATE USER poor@127.0.0.1 IDENTIFIED BY 'x'")
	t.Cleanup(func() { b.exec("DROP USER poor@127.0.0.1") })
	config, err := mysql.ParseDSN(b.dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.User, config.Passwd, config.DBName = "poor", "x", ""
	source, err := binlog.New(binlog.Options{DSN: config.FormatDSN()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Tail(t.Context())
	wantStop(t, err, "GRANT REPLICATION SLAVE")
	b.exec("GRANT BINLOG MONITOR ON *.* TO poor@127.0.0.1")
	at, err := source.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Open(t.Context(), at)
	wantStop(t, err, "GRANT REPLICATION SLAVE")
	b.exec("GRANT REPLICATION SLAVE ON *.* TO poor@127.0.0.1")
	s, err := source.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	config.Passwd = "wrong"
	if source, err = binlog.New(binlog.Options{DSN: config.FormatDSN()}); err != nil {
		t.Fatal(err)
	}
	_, err = source.Tail(t.Context())
	wantStop(t, err, "password")
}

func TestSilentLinkIsNoticedAndSlowReadersAreNot(t *testing.T) {
	server := devstack.MariaDB(t)
	b := newBench(t, server.NewSchema(t))
	b.exec("CREATE TABLE t (id INT PRIMARY KEY)")
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	proxy := silentProxy(t, b.dsn)
	var err error
	b.source, err = binlog.New(binlog.Options{
		DSN: b.dsn, Scope: func(schema, _ string) bool { return schema == b.schema }, ReadTimeout: 600 * time.Millisecond,
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", proxy.listener.Addr().String())
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := b.open(b.tail())
	// Heartbeats keep it alive for several times the timeout.
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a quiet server: %v", err)
	}
	_ = s.Close()
	// Nobody reads for several times the timeout, while more comes than buffers take.
	from := b.tail()
	b.exec("CREATE TABLE big (id INT AUTO_INCREMENT PRIMARY KEY, a MEDIUMTEXT)", "INSERT INTO big (a) SELECT REPEAT('x', 500000) FROM seq_1_to_80")
	s = b.open(from)
	pause, stop := context.WithTimeout(t.Context(), 2*time.Second)
	defer stop()
	<-pause.Done()
	if got, err := b.readStream(s, b.tail()); err != nil || len(lines(got)) != 81 {
		t.Fatalf("after a pause %d changes came, and %v", len(lines(got)), err)
	}
	_ = s.Close()
	s = b.open(b.tail())
	proxy.silence()
	began := time.Now()
	if err := fails(t, s); err == nil || change.Stops(err) != nil {
		t.Fatalf("a dead link: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a dead link was noticed after %v", took)
	}
	_ = s.Close()
}

type silent struct {
	listener net.Listener
	mu       sync.Mutex
	mute     bool
	conns    []net.Conn
	done     sync.WaitGroup
}

func (p *silent) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = true
}

func (p *silent) muted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mute
}

// silentProxy stands before a server, and swallows what it says once it is told to.
func silentProxy(t *testing.T, dsn string) *silent {
	t.Helper()
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	p := &silent{}
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.done.Go(func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", config.Addr)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, client, server)
			p.mu.Unlock()
			p.done.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			p.done.Go(func() {
				defer client.Close()
				buf := make([]byte, 4096)
				for {
					n, err := server.Read(buf)
					if err != nil {
						return
					}
					if p.muted() {
						continue
					}
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.done.Wait()
	})
	return p
}

func TestCompressedLogsAreRead(t *testing.T) {
	server, err := devstack.StartDatabase(t.Context(), devstack.DatabaseOptions{Relaxed: true, Settings: map[string]string{"log_bin_compress": "ON", "log_bin_compress_min_len": "10"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	compressed := func(t *testing.T, b *bench, session string) {
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(1000))")
		want := []string{"insert t (id=1 a=" + strings.Repeat("x", 900) + ")", "update t (id=1 a=" + strings.Repeat("x", 900) + ") (id=1 a=y)", "delete t (id=1 a=y)", "alter t"}
		b.want(b.since(session, "BEGIN", "INSERT INTO t VALUES (1, REPEAT('x', 900))", "UPDATE t SET a = 'y'", "DELETE FROM t", "COMMIT", "ALTER TABLE t ADD bbbbbbbbbbbbbbbbbbbbbbbbbbb INT"), want...)
		b.want(b.since(session, "XA START 'x'", "INSERT INTO t VALUES (1, REPEAT('x', 900), 3)", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"),
			fmt.Sprintf("insert t (id=1 a=%s bbbbbbbbbbbbbbbbbbbbbbbbbbb=3)", strings.Repeat("x", 900)))
	}
	t.Run("mariadb", func(t *testing.T) { compressed(t, newBench(t, server.NewSchema(t)), "SELECT 1") })
	for _, server := range devstack.Databases(t) {
		if server.Name == "mysql" {
			t.Run("mysql", func(t *testing.T) {
				b := newBench(t, server.NewSchema(t))
				compressed(t, b, "SET SESSION binlog_transaction_compression = ON")
				b.source.LookAhead(0)
				b.exec("DROP TABLE t")
				compressed(t, b, "SET SESSION binlog_transaction_compression = ON")
			})
		}
	}
}
