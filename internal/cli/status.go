package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/mirror"
	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

func newStatus(sys System) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:   "status [CAPABILITY]",
		Short: "Show how a running Banyan does",
		Long: `Show how a running Banyan does: whether its mirror sends the legacy's changes, how
far behind it is, and what to do when it has stopped; the same of the streams of
services, with what they can't tell since legacy has it, and it can't be read; then the
capabilities, each with its stages. With the name of a capability, all about that one: its stages, what
each replica has applied, what blocks the next stage, whether a rollback is safe now,
and the next command to type.

` + whomHelp + `

Exit codes: 0 all is well, 1 the mirror or a stream has stopped, tries in vain or can't
tell everything, or Banyan does not answer, 2 wrong command line.`,
		Example: "  banyan status\n  banyan status orders\n  banyan status --admin 127.0.0.1:9091 -o json",
		Args:    capabilityOrAll,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				told, text, err := client.status(cmd.Context(), args[0])
				switch {
				case err != nil:
					return err
				case f.output == "json":
					return write(sys.Stdout, string(text))
				}
				return write(sys.Stdout, capabilityPage(colours(sys), told, f.next(told.GetNext())))
			}
			return f.statusOfAll(cmd, sys, client)
		},
	}
	f.flags(cmd, askTimeout)
	return cmd
}

// whomHelp says who is asked.
const whomHelp = `It asks the admin listener given with --admin or in the environment variable
BANYAN_ADMIN, or the one that the config names.`

func write(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}

// statusOfAll shows the mirror and, where there are any, the capabilities.
func (f *adminFlags) statusOfAll(cmd *cobra.Command, sys System, client *adminClient) error {
	text, err := client.send(cmd.Context(), http.MethodGet, "/status", nil)
	if err != nil {
		return err
	}
	var status app.Status
	if err := json.Unmarshal(text, &status); err != nil {
		return fmt.Errorf("%s gave something else than a status: %w", client.at, err)
	}
	all := &adminv1.ListStatusResponse{}
	capabilities, failed := client.get(cmd.Context(), "/admin/v1/capabilities", nil, all)
	var refused *refusal
	if errors.As(failed, &refused) && refused.reason == adminv1.ReasonNoCapabilities {
		failed, capabilities = nil, []byte(`{"capabilities":[]}`)
	}
	switch {
	case f.output == "json" && failed == nil:
		err = writeMerged(sys.Stdout, text, capabilities)
	case f.output == "text":
		err = printStatus(sys.Stdout, status, time.Now())
		if len(all.GetCapabilities()) > 0 {
			err = errors.Join(err, write(sys.Stdout, "\n"+capabilityTable(colours(sys), all.GetCapabilities())+"Next: "+f.next(nextOfAll(all.GetCapabilities()))+"\n"))
		}
	}
	switch {
	case err != nil || failed != nil:
		return errors.Join(err, failed)
	case status.Mirror != nil && inVain(status.Mirror), slices.ContainsFunc(status.Services, func(m app.MirrorStatus) bool { return inVain(&m) || m.Unreadable > 0 }):
		return errReported
	}
	return nil
}

// inVain says that a mirror has stopped, or tries again and again.
func inVain(m *app.MirrorStatus) bool {
	return m.Phase == mirror.PhaseStopped || m.Phase == mirror.PhaseRetrying
}

// writeMerged writes the members of JSON objects as one.
func writeMerged(w io.Writer, objects ...[]byte) error {
	all := map[string]json.RawMessage{}
	for _, text := range objects {
		if err := json.Unmarshal(text, &all); err != nil {
			return err
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(all); err != nil {
		return err
	}
	return write(w, out.String())
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
	for i := range s.Services {
		b.WriteString(streamText(&s.Services[i], now))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// streamText says how a service's stream does, and what it can't tell.
func streamText(m *app.MirrorStatus, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "stream %s: %s for %s\n", printable(m.Name), m.Phase, now.Sub(m.Since).Round(time.Second))
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
	case m.LastError != "" && m.Phase == mirror.PhaseRetrying:
		row("cause", "%s", m.LastError)
	}
	row("lag", "%s", lag(m))
	row("sent", "%d entities, %d fences, waiting %d", m.Entities, m.Fences, m.Waiting)
	if m.Unreadable > 0 {
		row("unreadable", "%d entities can't be read in legacy, or can't be sent: the service is not told of them, and no key of their capability moves to it", m.Unreadable)
		for _, u := range m.Unread {
			row("", "%s %s, for %s: %s", u.Entity, u.ID, now.Sub(u.Since).Round(time.Second), u.Reason)
			row("", "  do: %s", u.Fix)
		}
		if more := m.Unreadable - len(m.Unread); more > 0 {
			row("", "and %d more", more)
		}
	}
	return b.String()
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
