package cli

import (
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/app"
)

func newEventsDescribe(sys System) *cobra.Command {
	var file, output string
	cmd := &cobra.Command{
		Use:   "describe",
		Short: "Print an AsyncAPI document of all events",
		Long: `Print an AsyncAPI 3.0 document of all that the mirror sends: the exchange and the
history of row events, the exchange of each service with the messages of its
entities, fences and their answers. It is YAML, or JSON with -o json. Neither
database nor broker is needed, and no secret of the config is in it.

Exit codes: 0 all is well, 1 the config or the contract has faults, or there is no
mirror, 2 wrong command line.`,
		Example: "  banyan events describe > asyncapi.yaml\n  banyan events describe -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			doc, err := app.AsyncAPI(cmd.Context(), file, sys.LookupEnv)
			if err != nil {
				return err
			}
			if output != "json" {
				if doc, err = yaml.JSONToYAML(doc); err != nil {
					return fmt.Errorf("write as YAML: %w", err)
				}
			}
			return write(sys.Stdout, string(doc))
		},
	}
	configFlag(cmd, &file)
	outputFlag(cmd, &output)
	return cmd
}
