package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// build says what this program was built from.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	// Time is the commit's, RFC 3339.
	Time string `json:"time,omitempty"`
	// Modified says that files differed from the commit.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(sys System) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print what this program was built from",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			b := sys.build()
			if output == "json" {
				out := json.NewEncoder(sys.Stdout)
				out.SetIndent("", "  ")
				return out.Encode(b)
			}
			_, err := fmt.Fprintf(sys.Stdout, "banyan %s\n%s\n", b.Version, b.details())
			return err
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func (b build) details() string {
	text := b.Go + " " + b.Platform
	if b.Revision != "" {
		text += ", commit " + b.Revision
	}
	if b.Time != "" {
		text += " of " + b.Time
	}
	if b.Modified {
		text += ", with changes"
	}
	return text
}

// build joins what the linker was told with what Go itself noted.
func (s System) build() build {
	b := build{Version: s.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				b.Revision = setting.Value
			case "vcs.time":
				b.Time = setting.Value
			case "vcs.modified":
				b.Modified = setting.Value == "true"
			}
		}
		if b.Version == "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
	}
	if b.Version == "" {
		b.Version = "unknown"
	}
	return b
}
