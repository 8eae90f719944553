package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/mirror"
)

func newStatus(sys System) *cobra.Command {
	var file, output, admin string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how a running Banyan does",
		Long: `Show how a running Banyan does: whether its mirror sends the legacy's changes, how
far behind it is, and what to do when it has stopped. It asks the admin listener
that the config names, or the one given with --admin.

Exit codes: 0 all is well, 1 the mirror has stopped or tries in vain, or Banyan does
not answer, 2 wrong command line.`,
		Example: "  banyan status\n  banyan status --admin 127.0.0.1:9091 -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			if admin == "" {
				at, err := adminAddress(file, sys.LookupEnv)
				if err != nil {
					return err
				}
				admin = at
			}
			text, err := fetchStatus(cmd.Context(), admin)
			if err != nil {
				return err
			}
			var status app.Status
			if err := json.Unmarshal(text, &status); err != nil {
				return fmt.Errorf("%s gave something else than a status: %w", admin, err)
			}
			if output == "json" {
				_, err = sys.Stdout.Write(text)
			} else {
				err = printStatus(sys.Stdout, status, time.Now())
			}
			if err == nil && status.Mirror != nil && (status.Mirror.Phase == mirror.PhaseStopped || status.Mirror.Phase == mirror.PhaseRetrying) {
				return errReported
			}
			return err
		},
	}
	configFlag(cmd, &file)
	outputFlag(cmd, &output)
	cmd.Flags().StringVar(&admin, "admin", "", "`HOST:PORT` of the admin listener, instead of the config's")
	return cmd
}

// adminAddress gives where a config lets the admin listener listen. What else is wrong with the config does not matter.
func adminAddress(file string, lookup config.Lookup) (string, error) {
	cfg, faults := config.Load(file, lookup)
	at := string(cfg.Listen.Admin)
	host, port, err := net.SplitHostPort(at)
	switch {
	case !given(file):
		return "", faults.Err()
	case err != nil || port == "0":
		return "", usageError{errors.New("the config lets the system choose the admin listener's port: say --admin HOST:PORT, which the log names")}
	case host == "" || host == "0.0.0.0" || host == "::":
		return net.JoinHostPort("127.0.0.1", port), nil
	}
	return at, nil
}

// given says whether a config is there to be read.
func given(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// statusTimeout bounds asking for a status.
const statusTimeout = 10 * time.Second

func fetchStatus(ctx context.Context, admin string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/status", nil)
	if err != nil {
		return nil, usageError{fmt.Errorf("--admin %s is no HOST:PORT: %w", admin, err)}
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("no Banyan answers at %s: %w; start it, or name its admin listener with --admin HOST:PORT", admin, err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the status: %w", err)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s: is it Banyan's admin listener?", admin, answer.Status)
	}
	return text, nil
}

// printStatus writes what a person wants to know, and what to type next.
func printStatus(w io.Writer, s app.Status, now time.Time) error {
	var b strings.Builder
	m := s.Mirror
	if m == nil {
		b.WriteString("mirror: none here (it needs broker.url, mirror.enabled and the role mirror)\n")
		_, err := io.WriteString(w, b.String())
		return err
	}
	fmt.Fprintf(&b, "mirror %s: %s for %s\n", m.Name, m.Phase, now.Sub(m.Since).Round(time.Second))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	switch {
	case m.Stop != nil:
		row("stopped", "%s", m.Stop.What)
		if m.Stop.Cause != "" {
			row("cause", "%s", m.Stop.Cause)
		}
		row("do", "%s", m.Stop.Fix)
	case m.Phase == mirror.PhaseWaiting:
		row("", "another process leads, or the legacy does not answer yet")
	case m.LastError != "" && m.Phase == mirror.PhaseRetrying:
		row("cause", "%s", m.LastError)
	}
	if m.Read != nil {
		row("read", "%s", m.Read)
		row("saved", "%s", m.Saved)
	}
	row("lag", "%s", lag(m))
	row("events", "%s", eventCounts(m))
	row("sent", "%d, confirmed %d (%.1f a second), in flight %d, returned %d", m.Sent, m.Confirmed, m.PerSecond, m.InFlight, m.Returned)
	if m.Blocked != "" {
		row("broker", "takes nothing at present: %s", m.Blocked)
	}
	switch {
	case m.Restarts > 0 && m.Phase == mirror.PhaseRetrying:
		row("restarts", "%d", m.Restarts)
	case m.Restarts > 0:
		row("restarts", "%d, the last because of: %s", m.Restarts, m.LastError)
	}
	if m.Epoch > 0 {
		row("epoch", "%d, term %d, server %s", m.Epoch, m.Term, m.Server)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func lag(m *app.MirrorStatus) string {
	var parts []string
	if m.LagSeconds != nil {
		parts = append(parts, fmt.Sprintf("%.3f s", *m.LagSeconds))
	}
	if m.LagBytes != nil {
		parts = append(parts, fmt.Sprintf("%d bytes", *m.LagBytes))
	}
	if parts == nil {
		return "not known"
	}
	return strings.Join(parts, ", ")
}

func eventCounts(m *app.MirrorStatus) string {
	var parts []string
	for op, n := range m.Events {
		parts = append(parts, fmt.Sprintf("%s %d", op, n))
	}
	if parts == nil {
		return "none yet"
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
