package cli

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/app"
)

func newServe(sys System) *cobra.Command {
	var file string
	var roles []string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the contract over REST and gRPC",
		Long: `Serve the contract over REST and gRPC, until SIGTERM or SIGINT: then no new
calls are taken, and those in flight have shutdown.drain to end. A second signal
cancels them at once.

Everything that is wrong with config, contract and SQL is reported at once, before
anything is served, as "banyan check --live" does. A legacy that is down at start
is waited for, for legacy.start_timeout. Logs go to standard error.

With a broker.url in the config, the mirror runs in this process, too, when no other
one leads it. --roles mirror runs it without the facade, --roles facade the facade
without it.

Exit codes: 0 stopped by a signal, 1 faults or a failure, 2 wrong command line.`,
		Example: "  BANYAN_LEGACY_DSN='shop:secret@tcp(db:3306)/shop' banyan serve -c banyan.yaml",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			taken, err := parseRoles(roles)
			if err != nil {
				return err
			}
			project, faults := app.Load(ctx, file, sys.LookupEnv)
			if err := faults.Err(); err != nil {
				return err
			}
			printFaults(sys.Stderr, faults.All()) // warnings
			logger := slog.New(project.Config.Log.Handler(sys.Stderr))
			return app.New(project, app.Options{Logger: logger, Version: sys.build().Version, Abort: sys.abort, Roles: taken}).Run(ctx)
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringSliceVar(&roles, "roles", nil, "what this process does: `facade,mirror` or one of them (default both)")
	return cmd
}

func parseRoles(words []string) ([]app.Role, error) {
	var roles []app.Role
	for _, word := range words {
		role := app.Role(strings.TrimSpace(word))
		if !slices.Contains(app.AllRoles(), role) {
			return nil, usageError{fmt.Errorf("--roles %s is not a role: there are facade and mirror", word)}
		}
		roles = append(roles, role)
	}
	return roles, nil
}
