package chaos

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// accounts are those that Banyan has on a run's database: each may do what `banyan grants` prints, and nothing else.
type accounts struct {
	// banyan says how it is started, and in what environment; its DSN is the administrator's.
	banyan *banyan
	// admin is the administrator's DSN, with the legacy's database.
	admin string
}

const accountPassword = "chaos"

// makeTables makes Banyan's own tables, as an account that is for nothing else.
func (a *accounts) makeTables(ctx context.Context) error {
	dsn, err := a.grant(ctx, "migrate", a.admin)
	if err != nil {
		return err
	}
	_, err = a.run(ctx, dsn, "migrate", "up")
	return err
}

// logIn lets Banyans log in as an account that is granted what some roles need, from their next start on. What roles need
// rights on has to be there.
func (a *accounts) logIn(ctx context.Context, roles string, banyans ...*banyan) error {
	for _, b := range banyans {
		dsn, err := a.grant(ctx, roles, b.dsn)
		if err != nil {
			return err
		}
		b.env = append(b.env, dsnVariable+dsn) // of several, the last counts
	}
	return nil
}

// grant makes the account for some roles, or grants it anew, and gives a DSN with it in the place of its own.
func (a *accounts) grant(ctx context.Context, roles, dsn string) (string, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return "", fmt.Errorf("read a DSN: %w", err)
	}
	config.User, config.Passwd = "banyan_"+strings.ReplaceAll(roles, ",", "_"), accountPassword
	account := "'" + config.User + "'@'%'"
	db, err := sql.Open("mysql", a.admin)
	if err != nil {
		return "", fmt.Errorf("use the server: %w", err)
	}
	defer db.Close() //nolint:errcheck // all that it did has been answered
	if err := execute(ctx, db, "CREATE USER IF NOT EXISTS "+account+" IDENTIFIED BY '"+accountPassword+"'"); err != nil {
		return "", err
	}
	printed, err := a.run(ctx, a.admin, "grants", "--role", roles, "--user", account)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(printed) {
		if statement, _, _ := strings.Cut(line, ";"); strings.HasPrefix(statement, "GRANT ") {
			if err := execute(ctx, db, statement); err != nil {
				return "", err
			}
		}
	}
	return config.FormatDSN(), nil
}

// run runs a command of Banyan's to its end, and gives what it prints.
func (a *accounts) run(ctx context.Context, dsn string, command ...string) (string, error) {
	args := append(append([]string(nil), a.banyan.command[1:]...), command...)
	args = append(args, "-c", filepath.Join(a.banyan.dir, "banyan.yaml"))
	cmd := exec.CommandContext(ctx, a.banyan.command[0], args...) //nolint:gosec // it is what the run was given
	cmd.Env, cmd.Dir = append(append([]string(nil), a.banyan.env...), dsnVariable+dsn), a.banyan.dir
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if _, err := cmd.StdinPipe(); err != nil { // at whose end it would end, too
		return "", fmt.Errorf("run banyan %s: %w", command[0], err)
	}
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("run banyan %s: %w", command[0], err), errors.New(told.String()))
	}
	return out.String(), nil
}
