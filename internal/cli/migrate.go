package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/cli/demo"
)

// How long the commands take at most, where --timeout says nothing else.
const (
	migrateTimeout = 10 * time.Minute
	lookTimeout    = 30 * time.Second
)

func newMigrate(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Make Banyan's own tables, and see how far they are",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newMigrateUp(sys), newMigrateStatus(sys))
	return cmd
}

// migrateFlags are those of both commands.
type migrateFlags struct {
	file, output string
	timeout      time.Duration
}

func (f *migrateFlags) flags(cmd *cobra.Command, timeout time.Duration) {
	configFlag(cmd, &f.file)
	outputFlag(cmd, &f.output)
	cmd.Flags().DurationVar(&f.timeout, "timeout", timeout, "how long it may take")
}

// open loads the project, which says whether tables are needed. The logger says on standard error what passes.
func (f *migrateFlags) open(ctx context.Context, sys System) (context.Context, context.CancelFunc, *app.Project, *slog.Logger, error) {
	if err := checkOutput(f.output); err != nil {
		return nil, nil, nil, nil, err
	}
	if f.timeout < time.Millisecond {
		return nil, nil, nil, nil, usageError{fmt.Errorf("--timeout %s is no time to wait: write a duration such as 30s", f.timeout)}
	}
	project, faults := app.Load(ctx, f.file, sys.LookupEnv)
	if err := faults.Err(); err != nil {
		return nil, nil, nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	return ctx, cancel, project, slog.New(project.Config.Log.Handler(sys.Stderr)), nil
}

func newMigrateUp(sys System) *cobra.Command {
	var f migrateFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make Banyan's own tables, or bring them up to date",
		Long: `Make Banyan's own tables in ledger.schema, or bring them up to date. Where all is
there, nothing is done, and no right is needed but to see it.

Any number of these, and of "banyan serve", may run at once: one works, the others
wait for it. A migration that was broken off, because its process or the server
ended, is run again. Tables of a newer Banyan are left alone.

Exit codes: 0 all is there, 1 it is not, 2 wrong command line.`,
		Example: "  BANYAN_LEGACY_DSN='admin:secret@tcp(db:3306)/shop' banyan migrate up",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel, project, logger, err := f.open(cmd.Context(), sys)
			if err != nil {
				return err
			}
			defer cancel()
			done, err := project.Migrate(ctx, logger)
			if f.output == "text" {
				for _, m := range done {
					fmt.Fprintf(sys.Stdout, "did %s %d %s\n", m.Set, m.Version, m.Name)
				}
			}
			if err != nil {
				return err
			}
			m, err := project.Migrated(ctx, logger)
			if err != nil {
				return err
			}
			return f.print(sys, m, done, true)
		},
	}
	f.flags(cmd, migrateTimeout)
	return cmd
}

func newMigrateStatus(sys System) *cobra.Command {
	var f migrateFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far Banyan's own tables are, and change nothing",
		Long: `Show how far Banyan's own tables in ledger.schema are: those of the control store
(flags, replicas, the mirror's position), and the ledger (writer marks, live writes).

  current      all is there
  newer        made by a newer Banyan, beside which this one works
  absent       nothing is there yet
  behind       some migrations are still to be done
  migrating    a process is doing them
  interrupted  a process ended in the middle of one; "banyan migrate up" ends it
  too new      made by a Banyan that this one can't work beside

Exit codes: 0 this Banyan can work, 1 it can't, 2 wrong command line.`,
		Example: "  banyan migrate status\n  banyan migrate status -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel, project, logger, err := f.open(cmd.Context(), sys)
			if err != nil {
				return err
			}
			defer cancel()
			m, err := project.Migrated(ctx, logger)
			if err != nil {
				return err
			}
			return f.print(sys, m, nil, false)
		},
	}
	f.flags(cmd, lookTimeout)
	return cmd
}

// print shows how far the tables are; up with what was done.
func (f *migrateFlags) print(sys System, m app.Migrations, done []store.Migration, up bool) error {
	if f.output == "json" {
		if err := migrationsJSON(sys.Stdout, m, done, up); err != nil {
			return err
		}
	} else {
		migrationsText(sys.Stdout, m, f.file)
	}
	if !m.Usable() {
		return errReported
	}
	return nil
}

func migrationsJSON(w io.Writer, m app.Migrations, done []store.Migration, up bool) error {
	shown := struct {
		OK bool `json:"ok"`
		app.Migrations
		Done *[]store.Migration `json:"done,omitempty"`
	}{OK: m.Usable(), Migrations: m}
	if up {
		if done == nil {
			done = []store.Migration{}
		}
		shown.Done = &done
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(shown)
}

func migrationsText(w io.Writer, m app.Migrations, file string) {
	if m.Schema == "" {
		fmt.Fprintln(w, "This config has neither a mirror nor writes with idempotency keys, and so Banyan keeps no tables of its own.")
		return
	}
	next := ""
	for _, s := range m.Sets {
		fmt.Fprintf(w, "%s.%s: %s, version %d of %d\n", m.Schema, s.Set, s.State, s.Version, s.Latest)
		for _, p := range s.Pending {
			fmt.Fprintf(w, "  pending %d %s\n", p.Version, p.Name)
		}
		switch s.State {
		case store.Absent, store.Behind, store.Interrupted:
			next = "Next: banyan migrate up"
			if file != defaultConfig {
				next += " -c " + demo.Quote(file)
			}
		case store.Migrating:
			next = "Another process is at it: look again."
		case store.TooNew:
			next = "Run the newer Banyan that made these tables."
		}
	}
	if next != "" {
		fmt.Fprintln(w, next)
	}
}
