package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

// mostFences bounds --count.
const mostFences = 100_000

func newMirrorFence(sys System) *cobra.Command {
	var f adminFlags
	var count int
	cmd := &cobra.Command{
		Use:   "fence SERVICE",
		Short: "Time how long a service is behind",
		Long: `Send a fence down a service's stream and time its answer: how long it takes until a
change in legacy is applied by the service. The fence has no effect on writes.

With --count fences are sent one after the other, and the spread is shown.

` + whomHelp + `

Exit codes: 0 answered, 1 a failure or no answer in time (shift.fence_timeout or
--timeout for each), 2 wrong command line.`,
		Example: "  banyan mirror fence orders\n  banyan mirror fence orders --count 100 -o json",
		Args:    oneService,
		RunE: func(cmd *cobra.Command, args []string) error {
			if count < 1 || count > mostFences {
				return usageError{fmt.Errorf("--count %d is out of range: it is 1 to %d", count, mostFences)}
			}
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			return timeFences(cmd.Context(), sys, &f, client, args[0], count)
		},
	}
	f.flags(cmd, commandTimeout)
	cmd.Flags().IntVar(&count, "count", 1, "send so many `FENCES`, one after the other")
	return cmd
}

func oneService(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usageError{errors.New("name one service, as the config does")}
	}
	return nil
}

// fenceTimes is what -o json shows: durations in seconds, as the admin API writes them.
type fenceTimes struct {
	Service string   `json:"service"`
	Count   int      `json:"count"`
	Least   string   `json:"least"`
	P50     string   `json:"p50"`
	P99     string   `json:"p99"`
	Most    string   `json:"most"`
	Parked  []string `json:"parked"`
	More    bool     `json:"more"`
}

// timeFences sends fences and shows what came of them. What was answered before a failure or Ctrl-C is shown, too.
func timeFences(ctx context.Context, sys System, f *adminFlags, client *adminClient, service string, count int) error {
	var took []time.Duration
	last := &adminv1.FenceServiceResponse{}
	var failed error
	for len(took) < count {
		one, err := client.fence(ctx, service)
		if err != nil {
			failed = err
			break
		}
		last = one
		took = append(took, one.GetTook().AsDuration())
	}
	if len(took) > 0 {
		slices.Sort(took)
		if err := showFences(sys.Stdout, f, last, took); err != nil {
			return err
		}
	}
	return failed
}

func (c *adminClient) fence(ctx context.Context, service string) (*adminv1.FenceServiceResponse, error) {
	text, err := c.send(ctx, http.MethodPost, "/admin/v1/services/"+url.PathEscape(service)+":fence", []byte("{}"))
	if err != nil {
		return nil, err
	}
	out := &adminv1.FenceServiceResponse{}
	return out, c.decode(text, out)
}

// showFences shows the spread of times that are in order.
func showFences(out io.Writer, f *adminFlags, last *adminv1.FenceServiceResponse, took []time.Duration) error {
	n := len(took)
	p50, p99 := took[(n*50+99)/100-1], took[(n*99+99)/100-1] // of the nearest rank
	if f.output == "json" {
		parked := last.GetParked()
		if parked == nil {
			parked = []string{}
		}
		text, err := json.Marshal(fenceTimes{
			Service: last.GetService(), Count: n, Least: seconds(took[0]), P50: seconds(p50), P99: seconds(p99), Most: seconds(took[n-1]),
			Parked: parked, More: last.GetMore(),
		})
		if err != nil {
			return fmt.Errorf("write as JSON: %w", err)
		}
		return write(out, string(text)+"\n")
	}
	var b strings.Builder
	name := printable(last.GetService())
	if n == 1 {
		fmt.Fprintf(&b, "%s: answered in %s\n", name, millis(took[0]))
	} else {
		fmt.Fprintf(&b, "%s: %d fences answered in %s to %s, p50 %s, p99 %s\n", name, n, millis(took[0]), millis(took[n-1]), millis(p50), millis(p99))
	}
	if parked := last.GetParked(); len(parked) > 0 {
		more := ""
		if last.GetMore() {
			more = " and others"
		}
		fmt.Fprintf(&b, "its parked keys are behind all the same: %s%s (banyan parked list %s says why)\n", printable(strings.Join(parked, ", ")), more, name)
	}
	return write(out, b.String())
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64) + " ms"
}

// seconds writes a duration as the admin API does.
func seconds(d time.Duration) string {
	return strings.TrimRight(strings.TrimRight(strconv.FormatFloat(d.Seconds(), 'f', 9, 64), "0"), ".") + "s"
}
