package cli

import (
	"fmt"
	"strconv"
	"strings"

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
				if doc, err = asYAML(doc); err != nil {
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

// asYAML writes JSON as YAML, its members in their order. Texts of digits alone are in quotes: YAML 1.2 takes 08 for a number, where
// 1.1 took it for none.
func asYAML(doc []byte) ([]byte, error) {
	var v any
	if err := yaml.UnmarshalWithOptions(doc, &v, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	return yaml.Marshal(quoted(v))
}

// digits is a text of digits alone.
type digits string

// MarshalYAML gives it in quotes.
func (d digits) MarshalYAML() ([]byte, error) { return []byte(strconv.Quote(string(d))), nil }

func quoted(v any) any {
	switch v := v.(type) {
	case yaml.MapSlice:
		for i := range v {
			v[i].Value = quoted(v[i].Value)
		}
	case []any:
		for i := range v {
			v[i] = quoted(v[i])
		}
	case string:
		if v != "" && strings.Trim(v, "0123456789") == "" {
			return digits(v)
		}
	}
	return v
}
