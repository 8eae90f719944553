package apptest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"banyan.dev/banyan/internal/app"
)

// patience bounds starts and stops; a busy machine needs many times the usual.
const patience = time.Minute

// Server is an App that runs.
type Server struct {
	app.Addresses
	Project *app.Project
	// Conn is a connection to the gRPC listener.
	Conn *grpc.ClientConn

	logs   *log
	cancel context.CancelFunc
	abort  chan struct{}
	done   chan struct{}
	err    error
}

// Start runs the project in dir/banyan.yaml, with $DSN in it standing for dsn, and returns when it serves. It is
// stopped when the test ends. roles are what it does, none for all.
func Start(t testing.TB, dir, dsn string, roles ...app.Role) *Server {
	t.Helper()
	return StartWith(t, dir, map[string]string{"DSN": dsn}, app.Options{Roles: roles})
}

// StartWith is Start with an environment of its own, and options besides those that it sets itself. Where the DSN is an
// administrator's, Banyan gets an account with exactly the rights that its grants print, and its tables are made by one that
// has those to make them: a grant that is missing fails the test.
func StartWith(t testing.TB, dir string, environment map[string]string, options app.Options) *Server {
	t.Helper()
	project := load(t, dir, ownAccounts(t, dir, environment, options.Roles))
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Project: project, logs: &log{}, cancel: cancel, abort: make(chan struct{}), done: make(chan struct{})}
	ready := make(chan app.Addresses, 1)
	options.Logger = slog.New(slog.NewJSONHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	options.Version, options.Abort, options.Ready = "test", s.abort, func(at app.Addresses) { ready <- at }
	a := app.New(project, options)
	go func() {
		defer close(s.done)
		s.err = a.Run(ctx)
	}()
	t.Cleanup(func() {
		if err := s.Wait(t); err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	select {
	case s.Addresses = <-ready:
	case <-s.done:
		t.Fatalf("the server did not start: %v\n%s", s.err, s.Logs())
	case <-time.After(patience):
		t.Fatalf("the server did not start in time:\n%s", s.Logs())
	}
	if s.GRPC == "" {
		return s
	}
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	s.Conn = conn
	t.Cleanup(func() { _ = conn.Close() })
	return s
}

func load(t testing.TB, dir string, environment map[string]string) *app.Project {
	t.Helper()
	project, faults := app.Load(t.Context(), filepath.Join(dir, "banyan.yaml"), func(name string) (string, bool) {
		value, ok := environment[name]
		return value, ok
	})
	if err := faults.Err(); err != nil {
		t.Fatalf("the project in %s:\n%v", dir, err)
	}
	return project
}

// Stop asks the server to stop in order, as the first signal does. It does not wait.
func (s *Server) Stop() { s.cancel() }

// Abort cancels calls that still drain, as the second signal does. It may be called once.
func (s *Server) Abort() { close(s.abort) }

// Wait stops the server, waits until it has, and gives what Run returned.
func (s *Server) Wait(t testing.TB) error {
	t.Helper()
	s.cancel()
	select {
	case <-s.done:
		return s.err
	case <-time.After(patience):
		t.Fatalf("the server did not stop in time:\n%s", s.Logs())
		return nil
	}
}

// Done is closed when the server has stopped.
func (s *Server) Done() <-chan struct{} { return s.done }

// Logs gives what was logged up to now, a JSON object a line.
func (s *Server) Logs() string { return s.logs.text() }

// Files writes the files of a txtar archive into a directory of the test's, and gives its path.
func Files(t testing.TB, archive string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(archive)).Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Poll tries until it works, or fails the test when the deadline passes.
func Poll(t testing.TB, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		<-tick.C
	}
}

// LogLine gives an error unless a line was logged that has all the parts.
func (s *Server) LogLine(parts ...string) error {
	for line := range strings.Lines(s.Logs()) {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(line, p)
		}
		if all {
			return nil
		}
	}
	return fmt.Errorf("no line with %q in:\n%s", parts, s.Logs())
}

// log keeps what is written, for whoever reads along.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
