package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/fault"
)

func newCheck(sys System) *cobra.Command {
	var file, output string
	var live bool
	var roles []string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report everything that is wrong with config, contract and SQL",
		Long: `Report everything that is wrong with config, contract and SQL at once, a line
each: file:line:col: message (what to do).

Without --live no database is needed: the config is read, the contract compiled,
the SQL parsed and bound to the contract. With --live, tables, columns, types and
keys are also checked against the legacy server; no row is read or changed.
--roles facade leaves out what only a process with the mirror needs, and the other
way round: give the roles that the account of legacy.dsn is for.

Exit codes: 0 clean (warnings are no faults), 1 faults, 2 wrong command line.`,
		Example: "  banyan check\n  banyan check -c shop/banyan.yaml --live\n  banyan check -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			taken, err := parseRoles(roles)
			if err != nil {
				return err
			}
			if len(taken) == 0 {
				taken = app.AllRoles()
			}
			project, faults := app.Load(cmd.Context(), file, sys.LookupEnv)
			asked := live && !faults.Failed()
			if asked {
				faults.Append(project.Verify(cmd.Context(), taken))
			}
			r := newReport(project, faults, asked)
			if output == "json" {
				if err := r.json(sys.Stdout); err != nil {
					return err
				}
			} else {
				r.text(sys.Stdout, sys.Stderr, live)
			}
			if !r.OK {
				return errReported
			}
			return nil
		},
	}
	configFlag(cmd, &file)
	outputFlag(cmd, &output)
	cmd.Flags().StringSliceVar(&roles, "roles", nil, "what is checked with --live: `facade,mirror` or one of them (default both)")
	cmd.Flags().BoolVar(&live, "live", false, "also check against the legacy server")
	return cmd
}

// report is what check found.
type report struct {
	OK bool `json:"ok"`
	// Live says that the legacy server was asked, too; it isn't while there are other faults.
	Live       bool          `json:"live"`
	Config     string        `json:"config"`
	Operations int           `json:"operations"`
	Faults     []fault.Fault `json:"faults"`
}

func newReport(p *app.Project, faults fault.List, live bool) report {
	r := report{OK: !faults.Failed(), Live: live, Config: p.Config.File(), Faults: faults.All()}
	if r.Faults == nil {
		r.Faults = []fault.Fault{}
	}
	if p.Contract != nil {
		r.Operations = len(p.Contract.Operations())
	}
	return r
}

func (r report) json(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(r)
}

func (r report) text(stdout, stderr io.Writer, live bool) {
	printFaults(stderr, r.Faults)
	errors := 0
	for _, f := range r.Faults {
		if f.Severity == fault.Error {
			errors++
		}
	}
	switch {
	case errors == 1:
		fmt.Fprintln(stderr, "1 fault")
	case errors > 1:
		fmt.Fprintf(stderr, "%d faults\n", errors)
	}
	switch {
	case errors > 0 && live && !r.Live:
		fmt.Fprintln(stderr, "The legacy server was not asked: mend these first.")
	case errors == 0 && r.Live:
		fmt.Fprintf(stdout, "%s: %d operations, checked against the legacy server\n", r.Config, r.Operations)
	case errors == 0:
		fmt.Fprintf(stdout, "%s: %d operations, no faults; --live checks against the legacy server, too\n", r.Config, r.Operations)
	}
}
