package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/app"
)

func newGrants(sys System) *cobra.Command {
	var file, output, user, server string
	var roles []string
	cmd := &cobra.Command{
		Use:   "grants",
		Short: "Print the least GRANTs that this configuration needs",
		Long: `Print the least GRANTs that this configuration needs, computed from its SQL, its
capabilities and its mirror. Nothing is changed: what is printed is SQL, for a person
or a pipe to run.

  facade   serves the contract: what the SQL reads and writes, flags, live writes
  mirror   reads the log, and what services are told of
  migrate  makes Banyan's own tables ("banyan migrate up")

Without --role it is for one account that does all that "banyan serve" does. For
accounts apart, run "banyan migrate up" first: rights are on single tables of
Banyan's then, and those can only be granted on what is there.

The live server is asked which it is, which functions are stored ones, and what views
do; let legacy.dsn name an account that sees all of that, and --user the one that is
to be granted. --server asks nobody, and prints what can be known without.

Exit codes: 0 printed, 1 faults or a failure, 2 wrong command line.`,
		Example: "  BANYAN_LEGACY_DSN='admin:secret@tcp(db:3306)/shop' banyan grants --role facade --user \"'banyan'@'10.0.%'\"\n  banyan grants --server mysql -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			o := app.GrantOptions{Account: user, Server: server}
			var err error
			if o.Roles, err = grantRoles(roles); err != nil {
				return err
			}
			if server != "" && server != "mariadb" && server != "mysql" {
				return usageError{fmt.Errorf("--server %s is none that Banyan knows: it is mariadb or mysql", server)}
			}
			if server != "" && user == "" {
				return usageError{fmt.Errorf("--server asks nobody, not even for the account's name: say --user")}
			}
			project, faults := app.Load(cmd.Context(), file, sys.LookupEnv)
			if err := faults.Err(); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), lookTimeout)
			defer cancel()
			grants, err := project.Grants(ctx, o)
			if err != nil {
				return err
			}
			if output == "text" {
				_, err := fmt.Fprint(sys.Stdout, grants.Text())
				return err
			}
			out := json.NewEncoder(sys.Stdout)
			out.SetIndent("", "  ")
			out.SetEscapeHTML(false)
			return out.Encode(grants)
		},
	}
	configFlag(cmd, &file)
	outputFlag(cmd, &output)
	cmd.Flags().StringSliceVar(&roles, "role", nil, "what the account is for: `facade,mirror,migrate` or some of them (default what serve does)")
	cmd.Flags().StringVar(&user, "user", "", "the account that is granted, `'name'@'host'` (default that of legacy.dsn)")
	cmd.Flags().StringVar(&server, "server", "", "ask no server, and print for `mariadb` or mysql")
	return cmd
}

func grantRoles(words []string) ([]app.Role, error) {
	var roles []app.Role
	for _, word := range words {
		role := app.Role(strings.TrimSpace(word))
		if role != app.RoleMigrate && !slices.Contains(app.AllRoles(), role) {
			return nil, usageError{fmt.Errorf("--role %s is not a role: there are facade, mirror and migrate", word)}
		}
		if !slices.Contains(roles, role) {
			roles = append(roles, role)
		}
	}
	return roles, nil
}
