package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/contract/breaking"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/fault"
)

func newContract(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Describe a contract, or compare it with another",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newContractDiff(sys), newContractOpenAPI(sys))
	return cmd
}

func newContractDiff(sys System) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Name what a newer contract breaks for clients of an older one",
		Long: `Name what a newer contract breaks for clients of an older one, a line each:
file:line:col: message [RULE]. The place is in the newer contract, or in the
older one where nothing is left of it.

OLD and NEW are each a directory of .proto files, a banyan.yaml, or a directory
with one in it. No database is needed.

The rules are buf's, of its category PACKAGE; those that begin with HTTP_RULE
are about HTTP paths and bodies. docs/openapi.md lists them.

Exit codes: 0 nothing breaks, 1 something does or a contract has faults,
2 wrong command line.`,
		Example: "  banyan contract diff ../released/contract contract\n  banyan contract diff released banyan.yaml -o json",
		Args:    exactly(2, "OLD and NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			older, oldErr := app.LoadContract(cmd.Context(), args[0], sys.LookupEnv)
			newer, newErr := app.LoadContract(cmd.Context(), args[1], sys.LookupEnv)
			if err := bothFaults(oldErr, newErr); err != nil {
				return err
			}
			changes := breaking.Compare(older.Contract, newer.Contract)
			if output == "json" {
				out := json.NewEncoder(sys.Stdout)
				out.SetIndent("", "  ")
				out.SetEscapeHTML(false)
				if err := out.Encode(differences{OK: len(changes) == 0, Breaking: append([]breaking.Change{}, changes...)}); err != nil {
					return err
				}
			} else {
				for _, c := range changes {
					fmt.Fprintln(sys.Stdout, c)
				}
			}
			if len(changes) > 0 {
				return errReported
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// differences are what diff found.
type differences struct {
	OK       bool              `json:"ok"`
	Breaking []breaking.Change `json:"breaking"`
}

// bothFaults tells the faults of both contracts at once.
func bothFaults(older, newer error) error {
	var a, b *fault.Errors
	if errors.As(older, &a) && errors.As(newer, &b) {
		return &fault.Errors{Faults: append(append([]fault.Fault{}, a.Faults...), b.Faults...)}
	}
	if older != nil {
		return older
	}
	return newer
}

func newContractOpenAPI(sys System) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "openapi PACKAGE",
		Short: "Print the OpenAPI document of a version",
		Long: `Print the OpenAPI 3.1 document of a version of the contract, such as shop.v2, as
Banyan serves it at /openapi/PACKAGE.json. No database is needed.

Exit codes: 0 all is well, 1 there is no such version or the contract has
faults, 2 wrong command line.`,
		Example: "  banyan contract openapi shop.v2 > shop.v2.json",
		Args:    exactly(1, "PACKAGE, such as shop.v2"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := app.LoadContract(cmd.Context(), file, sys.LookupEnv)
			if err != nil {
				return err
			}
			var names []string
			for _, v := range c.Versions {
				if string(v.Package) != args[0] {
					names = append(names, string(v.Package))
					continue
				}
				doc, err := c.OpenAPI(v)
				if err != nil {
					return err
				}
				_, err = sys.Stdout.Write(doc)
				return err
			}
			return fmt.Errorf("%s is no version of this contract, which has %s", args[0], strings.Join(names, ", "))
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// exactly wants a number of arguments.
func exactly(count int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != count {
			return usageError{fmt.Errorf("%s takes %s, but was given %d arguments", cmd.CommandPath(), what, len(args))}
		}
		return nil
	}
}
