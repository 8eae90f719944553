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

	"github.com/go-sql-driver/mysql"
)

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
	*instance
	Server
	// Port it listens on at 127.0.0.1, also after a Restart.
	Port int

	program string
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
	running, err := newInstance(ctx, "MariaDB", options.Dir)
	if err != nil {
		return nil, err
	}
	db := &Database{instance: running, program: mariadbd}
	running.launch = db.launchServer
	if err := db.fillAndStart(ctx, options); err != nil {
		return nil, errors.Join(fmt.Errorf("start MariaDB: %w", err), db.Stop(ctx))
	}
	return db, nil
}

func (d *Database) fillAndStart(ctx context.Context, options DatabaseOptions) error {
	if err := d.fill(ctx); err != nil {
		return err
	}
	return d.start(ctx, options.Port != 0, func() error {
		d.Port = options.Port
		if d.Port == 0 {
			var err error
			if d.Port, err = freePort(ctx); err != nil {
				return err
			}
		}
		return d.configure(options)
	})
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
	password := randomHex(12)
	d.Server = Server{Name: "mariadb", config: mysql.NewConfig()}
	d.config.User, d.config.Passwd = account, password
	d.config.Net, d.config.Addr = "tcp", net.JoinHostPort(loopback, strconv.Itoa(d.Port))

	if err := os.MkdirAll(d.temporaryDir(), 0o700); err != nil {
		return fmt.Errorf("make a directory for temporary tables: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "my.cnf"), []byte(d.settings(options)), 0o600); err != nil {
		return fmt.Errorf("write the settings: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "init.sql"), []byte(accountSQL(account, password)), 0o600); err != nil {
		return fmt.Errorf("write the account: %w", err)
	}
	return nil
}

// temporaryDir is for temporary tables. Each server has its own: one that starts removes all that it finds there, those
// of a running neighbour too.
func (d *Database) temporaryDir() string { return filepath.Join(d.Dir, "tmp") }

// launchServer starts the server program and waits until it answers.
func (d *Database) launchServer(ctx context.Context) ([]*process, error) {
	// Asking first spares the server the work of starting in vain.
	if err := probePort(ctx, d.Port); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), d.program, "--defaults-file="+filepath.Join(d.Dir, "my.cnf"))
	cmd.Dir = d.Dir
	p, err := startProcess(cmd, d.Log(), d.guard)
	if err != nil {
		return nil, err
	}
	if err := d.awaitReady(ctx, p); err != nil {
		p.kill()
		if strings.Contains(p.output(), "Bind on TCP/IP port") {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return nil, err
	}
	return []*process{p}, nil
}

// awaitReady returns when the server lets our account in. Only ours has the password, so no other server is mistaken for it.
func (d *Database) awaitReady(ctx context.Context, p *process) error {
	config := d.config.Clone()
	config.Logger = &mysql.NopLogger{} // A server that is still starting is nothing to log.
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return fmt.Errorf("use the server's address: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // It has only asked whether the server is there.
	return poll(ctx, p, db.PingContext)
}

// Log is the path of the file that the server logs to.
func (d *Database) Log() string { return filepath.Join(d.Dir, "mariadb.log") }
