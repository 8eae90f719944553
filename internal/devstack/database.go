package devstack

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// startTimeout bounds a start whose context has no deadline. A busy machine needs many times the usual second.
const startTimeout = 2 * time.Minute

// DatabaseOptions say how a private MariaDB is started. The zero value gives a durable server in a directory that is removed with it.
type DatabaseOptions struct {
	// Dir keeps data, settings and log. Data found in it is used again. Empty:
	// a temporary directory, removed when the server is stopped or this program ends.
	Dir string
	// Port to listen on, on loopback. Zero: a free one.
	Port int
	// Relaxed leaves writing to the operating system: commits outlive a kill of the
	// server, but not the machine's power cut. Much faster on slow disks.
	Relaxed bool
	// Settings are server variables that are added to, or replace, those set here.
	Settings map[string]string
}

// Database is a private MariaDB. Its methods may be called concurrently.
type Database struct {
	Server
	// Port it listens on at 127.0.0.1, also after a Restart.
	Port int
	// Dir has data, settings (my.cnf) and log (mariadb.log).
	Dir string

	program   string
	temporary bool
	guard     *guard

	mu      sync.Mutex // held while the server is started or stopped
	process *process
	stopped bool
}

// StartDatabase starts a MariaDB and returns when it answers. ctx bounds only
// the start. A missing program is a MissingError.
func StartDatabase(ctx context.Context, options DatabaseOptions) (*Database, error) {
	ctx, cancel := startContext(ctx)
	defer cancel()
	mariadbd, err := program("mariadbd", serverPlaces()...)
	if err != nil {
		return nil, err
	}
	dir, temporary, err := serverDir(options.Dir, "banyan-mariadb-")
	if err != nil {
		return nil, err
	}
	db := &Database{Dir: dir, program: mariadbd, temporary: temporary}
	if err := db.prepareAndStart(ctx, options); err != nil {
		return nil, errors.Join(fmt.Errorf("start MariaDB: %w", err), db.Stop(ctx))
	}
	return db, nil
}

func (d *Database) prepareAndStart(ctx context.Context, options DatabaseOptions) error {
	remove := ""
	if d.temporary {
		remove = d.Dir
	}
	var err error
	if d.guard, err = startGuard(ctx, remove); err != nil {
		return err
	}
	if err := d.fill(ctx); err != nil {
		return err
	}
	const tries = 5 // Between finding a free port and listening on it, others may take it.
	for try := 1; ; try++ {
		d.Port = options.Port
		if options.Port == 0 {
			if d.Port, err = freePort(ctx); err != nil {
				return err
			}
		}
		if err := d.configure(options); err != nil {
			return err
		}
		err := d.launch(ctx)
		if err == nil || options.Port != 0 || try == tries || !errors.Is(err, errPortTaken) {
			return err
		}
	}
}

// fill makes the data directory from the template unless it is there.
func (d *Database) fill(ctx context.Context) error {
	data := filepath.Join(d.Dir, "data")
	if isDir(data) {
		return nil
	}
	from, err := template(ctx, d.program)
	if err != nil {
		return err
	}
	half := data + ".making" // Only a whole copy gets the name.
	if err := os.RemoveAll(half); err != nil {
		return fmt.Errorf("remove a half-made data directory: %w", err)
	}
	if err := copyTree(from, half); err != nil {
		return err
	}
	if err := os.Rename(half, data); err != nil {
		return fmt.Errorf("name the data directory: %w", err)
	}
	return nil
}

// configure writes settings and the account, with a new password, and makes the address from them.
func (d *Database) configure(options DatabaseOptions) error {
	const user = "banyan"
	password := randomHex(12)
	d.Server = Server{Name: "mariadb", config: mysql.NewConfig()}
	d.config.User, d.config.Passwd = user, password
	d.config.Net, d.config.Addr = "tcp", net.JoinHostPort(loopback, strconv.Itoa(d.Port))

	if err := os.WriteFile(filepath.Join(d.Dir, "my.cnf"), []byte(d.settings(options)), 0o600); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "init.sql"), []byte(accountSQL(user, password)), 0o600); err != nil {
		return fmt.Errorf("write the account: %w", err)
	}
	return nil
}

// launch starts the server program and waits until it answers.
func (d *Database) launch(ctx context.Context) error {
	// Asking first spares the server the work of starting in vain.
	if err := probePort(ctx, d.Port); err != nil {
		return err
	}
	log := filepath.Join(d.Dir, "mariadb.log")
	began := logSize(log)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), d.program, "--defaults-file="+filepath.Join(d.Dir, "my.cnf"))
	cmd.Dir = d.Dir
	p, err := startProcess(cmd, log, d.guard)
	if err != nil {
		return err
	}
	if err := d.awaitReady(ctx, p); err != nil {
		p.kill()
		if strings.Contains(logSince(log, began), "Bind on TCP/IP port") {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return err
	}
	d.process = p
	return nil
}

// awaitReady returns when the server lets our account in. Only ours has the password, so no other server is mistaken for it.
func (d *Database) awaitReady(ctx context.Context, p *process) error {
	connector, err := mysql.NewConnector(d.config)
	if err != nil {
		return fmt.Errorf("use the server's address: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // It has only asked whether the server is there.
	return poll(ctx, p, db.PingContext)
}

// Stop shuts the server down, by SIGKILL when ctx ends first, and removes a
// temporary directory. It may be called again, and after Kill.
func (d *Database) Stop(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return nil
	}
	d.stopped = true
	var errs []error
	if d.process != nil {
		errs = append(errs, d.process.terminate(ctx))
	}
	if d.temporary {
		errs = append(errs, os.RemoveAll(d.Dir))
	}
	if d.guard != nil {
		d.guard.release()
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop MariaDB: %w", err)
	}
	return nil
}

// Kill ends the server by SIGKILL, as a crash would, and returns when it is gone. Restart brings it back.
func (d *Database) Kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.process != nil {
		d.process.kill()
	}
}

// Restart shuts the server down if it runs and starts it again on the same
// port, data and account. It returns when the server answers.
func (d *Database) Restart(ctx context.Context) error {
	ctx, cancel := startContext(ctx)
	defer cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return errors.New("restart MariaDB: it was stopped for good")
	}
	if err := d.process.terminate(ctx); err != nil {
		return fmt.Errorf("restart MariaDB: %w", err)
	}
	if err := d.launch(ctx); err != nil {
		return fmt.Errorf("restart MariaDB: %w", err)
	}
	return nil
}

// Done gives a channel that closes when the server process that runs now ends,
// for whatever reason. After a Restart there is a new one.
func (d *Database) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.process.done
}

// Log is the path of the file that the server logs to.
func (d *Database) Log() string { return filepath.Join(d.Dir, "mariadb.log") }

// startContext gives ctx a deadline if it has none.
func startContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, startTimeout)
}

// serverDir makes the directory of a server, a temporary one when none is given. The path is absolute.
func serverDir(dir, pattern string) (path string, temporary bool, err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", pattern)
		if err != nil {
			return "", false, fmt.Errorf("make a directory for a server: %w", err)
		}
		return dir, true, nil
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", false, fmt.Errorf("find a server's directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", false, fmt.Errorf("make a server's directory: %w", err)
	}
	return dir, false, nil
}

func logSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func logSince(path string, offset int64) string {
	text, err := os.ReadFile(path)
	if err != nil || int64(len(text)) < offset {
		return ""
	}
	return string(text[offset:])
}
