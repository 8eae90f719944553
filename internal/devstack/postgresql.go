package devstack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// PostgreSQLServer is a private PostgreSQL, for what keeps its own data in one. Its methods may be called concurrently.
type PostgreSQLServer struct {
	*instance
	// Port it listens on at 127.0.0.1, also after a Restart.
	Port int

	server, init, create string // programs
	password             string
	launched             bool // once before
	as                   *systemAccount
}

// StartPostgreSQL starts a PostgreSQL in a temporary directory, and returns when it answers. ctx bounds only the start. A missing
// program is a MissingError. Commits are left to the operating system: they outlive a kill of the server, not a power cut.
func StartPostgreSQL(ctx context.Context) (*PostgreSQLServer, error) {
	ctx, cancel := startContext(ctx)
	defer cancel()
	p := &PostgreSQLServer{password: randomHex(12)}
	var err error
	for name, where := range map[string]*string{"postgres": &p.server, "initdb": &p.init, "createdb": &p.create} {
		if *where, err = program(name, postgresqlPlaces()...); err != nil {
			return nil, err
		}
	}
	if p.as, err = unprivileged(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if p.instance, err = newInstance(ctx, "PostgreSQL", ""); err != nil {
		return nil, err
	}
	p.launch = p.launchServer
	if err := p.fillAndStart(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), p.Stop(ctx))
	}
	return p, nil
}

// postgresqlPlaces are directories where packages put PostgreSQL's programs, the newest version's first.
func postgresqlPlaces() []string {
	places, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil { // only a bad pattern is an error
		return nil
	}
	major := func(place string) int {
		n, err := strconv.Atoi(filepath.Base(filepath.Dir(place)))
		if err != nil {
			return 0
		}
		return n
	}
	slices.SortFunc(places, func(a, b string) int { return major(b) - major(a) })
	return append(append(places, "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin"), serverPlaces()...)
}

func (p *PostgreSQLServer) fillAndStart(ctx context.Context) error {
	secret := filepath.Join(p.Dir, "password")
	if err := os.WriteFile(secret, []byte(p.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the password: %w", err)
	}
	if err := p.as.own(p.Dir, secret); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, p.init, "--pgdata="+p.data(), "--username="+account, "--pwfile="+secret, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir = p.Dir
	p.as.lend(cmd)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initialise a data directory by %s: %w; it wrote:\n%s", p.init, err, output)
	}
	return p.start(ctx, false, func() (err error) {
		p.Port, err = freePort(ctx)
		return err
	})
}

func (p *PostgreSQLServer) data() string { return filepath.Join(p.Dir, "data") }

// launchServer starts the server program and waits until it answers.
func (p *PostgreSQLServer) launchServer(ctx context.Context) ([]*process, error) {
	// What a killed server has started is in no group of its, and ends by itself, a moment later; it has the port until then.
	const soon = 10 * time.Second
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		server, err := p.launchOnce(ctx)
		if err == nil {
			p.launched = true
			return []*process{server}, nil
		}
		waits := errors.Is(err, errPortTaken) || strings.Contains(err.Error(), "pre-existing shared memory block")
		if !p.launched || !waits || time.Since(began) > soon {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (p *PostgreSQLServer) launchOnce(ctx context.Context) (*process, error) {
	if err := probePort(ctx, p.Port); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.server, "-D", p.data(), "-h", loopback, "-p", strconv.Itoa(p.Port), "-k", "",
		"-c", "fsync=off", "-c", "max_connections=300", "-c", "shared_buffers=32MB", "-c", "wal_level=minimal", "-c", "max_wal_senders=0")
	cmd.Dir = p.Dir
	p.as.lend(cmd)
	server, err := startProcess(cmd, p.Log(), p.guard)
	if err != nil {
		return nil, err
	}
	server.ending = syscall.SIGINT // SIGTERM waits until all clients have gone
	err = poll(ctx, server, func(context.Context) error {
		if !strings.Contains(server.output(), "ready to accept connections") {
			return errors.New("it is starting")
		}
		return nil
	})
	if err == nil {
		return server, nil
	}
	server.kill()
	if strings.Contains(server.output(), "could not bind") {
		err = fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return nil, err
}

// Log is the path of the file that the server logs to.
func (p *PostgreSQLServer) Log() string { return filepath.Join(p.Dir, "postgresql.log") }

// URL gives the address of a database, as libpq and pgx take it.
func (p *PostgreSQLServer) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(account, p.password), Host: net.JoinHostPort(loopback, strconv.Itoa(p.Port)), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// NewDatabase makes an empty database with a name of its own and gives its URL. It stays until the server ends.
func (p *PostgreSQLServer) NewDatabase(t TB) string {
	t.Helper()
	name := schemaName(t.Name())
	cmd := exec.CommandContext(context.Background(), p.create, "--host="+loopback, "--port="+strconv.Itoa(p.Port), "--username="+account, "--no-password", "--maintenance-db=postgres", name)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+p.password)
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make a database: %v\n%s", err, output)
	}
	return p.URL(name)
}

// Skipper is a test that can be left out.
type Skipper interface {
	TB
	Skipf(format string, args ...any)
}

// sharedPostgreSQL is the one PostgreSQL of a test binary, see sharedDatabase.
var sharedPostgreSQL = sync.OnceValues(func() (*PostgreSQLServer, error) {
	return StartPostgreSQL(context.Background())
})

// PostgreSQL gives the server that all tests of this test binary share, as MariaDB does; tests keep to databases of their own
// (NewDatabase). Where PostgreSQL is not installed, the test is skipped: Banyan itself never needs one.
func PostgreSQL(t Skipper) *PostgreSQLServer {
	t.Helper()
	p, err := sharedPostgreSQL()
	return orSkip(t, p, err)
}

// OwnPostgreSQL starts a server for one test, which may kill and restart it. It is gone when the test ends.
func OwnPostgreSQL(t Skipper) *PostgreSQLServer {
	t.Helper()
	p, err := StartPostgreSQL(context.Background())
	if err == nil {
		stopAfter(t, p)
	}
	return orSkip(t, p, err)
}

func orSkip(t Skipper, p *PostgreSQLServer, err error) *PostgreSQLServer {
	t.Helper()
	var missing *MissingError
	if errors.As(err, &missing) {
		t.Skipf("PostgreSQL is not installed (%s): apt-get install -y postgresql", missing.Program)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}
