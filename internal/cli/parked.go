package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/internal/cli/demo"
	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
)

func newParked(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "Look at events that a new service could not apply, and settle them",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newParkedList(sys), newParkedShow(sys), newParkedRetry(sys), newParkedDrop(sys))
	return cmd
}

func keyFlag(cmd *cobra.Command, key *string, of string) {
	cmd.Flags().StringVar(key, "key", "", of+" of this `KEY`; '' is that of deleted entities that the service never knew")
}

// chosen gives a key that was named; nil when none was.
func chosen(cmd *cobra.Command, key string) *string {
	if !cmd.Flags().Changed("key") {
		return nil
	}
	return &key
}

func newParkedList(sys System) *cobra.Command {
	var f serviceFlags
	var key string
	var number int
	cmd := &cobra.Command{
		Use:   "list SERVICE",
		Short: "List parked events in their order",
		Long: `List the events that a service has parked, in their order. All later events of a key
wait behind its first one.

` + serviceHelp + `

Exit codes: 0 shown, 1 a failure, 2 wrong command line.`,
		Example: "  banyan parked list orders\n  banyan parked list orders --key 12 -o json",
		Args:    oneService,
		RunE: func(cmd *cobra.Command, args []string) error {
			if number < 1 || number > mostNumber {
				return usageError{fmt.Errorf("-n %d is out of range: it is 1 to %d", number, mostNumber)}
			}
			return f.ask(cmd.Context(), sys, args[0], func(ctx context.Context, service consumerv1.ConsumerServiceClient) error {
				all := &consumerv1.ListParkedResponse{}
				for request := (&consumerv1.ListParkedRequest{Key: chosen(cmd, key)}); ; request.PageToken = all.GetNextPageToken() {
					request.PageSize = int32(min(number-len(all.GetEvents()), 500)) //nolint:gosec // it is small
					page, err := service.ListParked(ctx, request)
					if err != nil {
						return err
					}
					all.Events = append(all.GetEvents(), page.GetEvents()...)
					if all.NextPageToken = page.GetNextPageToken(); all.GetNextPageToken() == "" || len(all.GetEvents()) >= number {
						break
					}
				}
				return f.show(sys, all, func(p paint) string {
					if len(all.GetEvents()) == 0 {
						return "nothing is parked\n"
					}
					page := parkedTable(p, all.GetEvents())
					if all.GetNextPageToken() != "" {
						page += fmt.Sprintf("There are more: -n shows up to %d\n", mostNumber)
					}
					return page + "Next: " + f.next(fmt.Sprintf("banyan parked show %s %d", args[0], all.GetEvents()[0].GetId())) + "\n"
				})
			})
		},
	}
	f.flags(cmd, askTimeout)
	keyFlag(cmd, &key, "only those")
	numberFlag(cmd, &number)
	return cmd
}

// longestReasonShown bounds a reason in a table, in bytes; show has all of it.
const longestReasonShown = 120

func parkedTable(p paint, all []*consumerv1.ParkedEvent) string {
	rows := make([][]string, 0, len(all))
	for _, e := range all {
		reason, _, _ := strings.Cut(e.GetReason(), "\n")
		if len(reason) > longestReasonShown {
			reason = strings.ToValidUTF8(reason[:longestReasonShown], "") + " …"
		}
		rows = append(rows, []string{
			strconv.FormatInt(e.GetId(), 10), printable(e.GetKey()), printable(e.GetEntity()), printable(e.GetEntityId()), moment(e.GetParkedAt()), printable(reason),
		})
	}
	return p.columns([]string{"NUMBER", "KEY", "ENTITY", "ID", "PARKED (UTC)", "REASON"}, rows, func(int, int) string { return "" })
}

func newParkedShow(sys System) *cobra.Command {
	var f serviceFlags
	var key string
	cmd := &cobra.Command{
		Use:   "show SERVICE [NUMBER]",
		Short: "Show a parked event in full, or all of a key",
		Long: `Show a parked event in full, by the number that list gives, or all of a key, each as a
JSON object with -o json.

` + serviceHelp + `

Exit codes: 0 shown, 1 a failure or nothing is parked there, 2 wrong command line.`,
		Example: "  banyan parked show orders 7\n  banyan parked show orders --key 12",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || args[0] == "" || (len(args) == 2) == cmd.Flags().Changed("key") {
				return usageError{fmt.Errorf("%s takes the name of a service, and the number of an event or --key", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var ids []int64
			if len(args) == 2 {
				id, err := strconv.ParseInt(args[1], 10, 64)
				if err != nil || id <= 0 {
					return usageError{fmt.Errorf("%q is no number of a parked event: `banyan parked list %s` has them", args[1], args[0])}
				}
				ids = []int64{id}
			}
			return f.ask(cmd.Context(), sys, args[0], func(ctx context.Context, service consumerv1.ConsumerServiceClient) error {
				if ids == nil {
					page, err := service.ListParked(ctx, &consumerv1.ListParkedRequest{Key: &key, PageSize: 500})
					if err != nil {
						return err
					}
					for _, e := range page.GetEvents() {
						ids = append(ids, e.GetId())
					}
					if len(ids) == 0 {
						return fmt.Errorf("nothing is parked under the key %q", key)
					}
				}
				var first *consumerv1.ParkedEvent
				for _, id := range ids {
					e, err := service.GetParked(ctx, &consumerv1.GetParkedRequest{Id: id})
					if err != nil {
						return err
					}
					if first == nil {
						first = e
					}
					if err := f.show(sys, e, func(p paint) string { return parkedPage(p, e) }); err != nil {
						return err
					}
				}
				if f.output == "json" {
					return nil
				}
				return write(sys.Stdout, f.afterShow(args[0], first))
			})
		},
	}
	f.flags(cmd, askTimeout)
	keyFlag(cmd, &key, "all")
	return cmd
}

// conflictReason begins the reason of a conflict.
const conflictReason = "conflict"

// afterShow says what to type next. Trying a conflict again settles nothing.
func (f *serviceFlags) afterShow(service string, first *consumerv1.ParkedEvent) string {
	if !strings.HasPrefix(first.GetReason(), conflictReason) {
		return "Next: " + f.next("banyan parked retry "+service+" --key "+demo.Quote(first.GetKey())) + "\n"
	}
	drop := fmt.Sprintf("banyan parked drop %s --key %s --through %d --confirm", service, demo.Quote(first.GetKey()), first.GetId())
	return "Next, if the service's state is to stand: " + f.next(drop) + ", and write it once more through Banyan\n" +
		"Next, if legacy's is: banyan rollback its capability, then banyan backfill " + printable(first.GetEntity()) + "\n"
}

func parkedPage(p paint, e *consumerv1.ParkedEvent) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.in(bold, printable(fmt.Sprintf("%d: %s %s, key %q", e.GetId(), e.GetEntity(), e.GetEntityId(), e.GetKey()))))
	fmt.Fprintf(&b, "  version  %s\n", printable(e.GetVersion()))
	fmt.Fprintf(&b, "  parked   %s, UTC\n", moment(e.GetParkedAt()))
	for i, line := range strings.Split(strings.TrimSpace(e.GetReason()), "\n") {
		word := "reason"
		if i > 0 {
			word = ""
		}
		fmt.Fprintf(&b, "  %-8s %s\n", word, p.in(red, printable(line)))
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(e.GetEvent()), "  ", "  ") != nil {
		pretty.Reset()
		pretty.WriteString(e.GetEvent())
	}
	for line := range strings.Lines(pretty.String()) {
		b.WriteString("  " + strings.TrimPrefix(printable(strings.TrimSuffix(line, "\n")), "  ") + "\n")
	}
	return b.String()
}

func newParkedRetry(sys System) *cobra.Command {
	var f serviceFlags
	var key string
	var all bool
	cmd := &cobra.Command{
		Use:   "retry SERVICE --key KEY | --all",
		Short: "Apply parked events, now that what was wrong is mended",
		Long: `Apply the parked events of a key, or of all keys, in their order. A key stops at the
first one that can't be applied: that one stays parked, and all behind it.

A conflict stays one. It is settled for the service by drop, for legacy by a rollback of
the capability and an announcement of the entity (banyan backfill).

` + serviceHelp + `

Exit codes: 0 nothing is left of what was tried, 1 a failure or something is left,
2 wrong command line.`,
		Example: "  banyan parked retry orders --key 12\n  banyan parked retry orders --all",
		Args:    oneService,
		RunE: func(cmd *cobra.Command, args []string) error {
			request := &consumerv1.RetryParkedRequest{Key: chosen(cmd, key), All: all}
			if (request.Key != nil) == all {
				return usageError{errors.New("say --key KEY, or --all")}
			}
			return f.ask(cmd.Context(), sys, args[0], func(ctx context.Context, service consumerv1.ConsumerServiceClient) error {
				done, err := service.RetryParked(ctx, request)
				if err != nil {
					return err
				}
				if err := f.show(sys, done, func(p paint) string { return f.retriedPage(p, args[0], done) }); err != nil {
					return err
				}
				if done.GetLeft() > 0 {
					return errReported
				}
				return nil
			})
		},
	}
	f.flags(cmd, commandTimeout)
	keyFlag(cmd, &key, "those")
	cmd.Flags().BoolVar(&all, "all", false, "those of all keys")
	return cmd
}

func (f *serviceFlags) retriedPage(p paint, service string, done *consumerv1.RetryParkedResponse) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d applied, %s\n", done.GetApplied(), p.in(shade(done.GetLeft() > 0, red, green), fmt.Sprintf("%d left", done.GetLeft())))
	for _, k := range done.GetStuck() {
		reason, _, _ := strings.Cut(k.GetReason(), "\n")
		fmt.Fprintf(&b, "  key %s: %d left: %s\n", printable(strconv.Quote(k.GetKey())), k.GetLeft(), printable(reason))
	}
	if len(done.GetStuck()) > 0 {
		fmt.Fprintf(&b, "Next: %s\n", f.next("banyan parked show "+service+" --key "+demo.Quote(done.GetStuck()[0].GetKey())))
	}
	return b.String()
}

func newParkedDrop(sys System) *cobra.Command {
	var f serviceFlags
	var key string
	var through int64
	var confirm bool
	cmd := &cobra.Command{
		Use:   "drop SERVICE --key KEY --confirm",
		Short: "Give the parked events of a key up: the service's own state stands",
		Long: `Give the parked events of a key up. They count as done, and what the service has
stands; nothing brings them back but an announcement of their entities (banyan
backfill). Legacy keeps what it has until the service's next write of the entity.
Look at both states first: banyan parked show.

--through NUMBER gives up those up to that one, so that none goes that you have not
seen.

` + serviceHelp + `

Exit codes: 0 done, 1 a failure or nothing is parked there, 2 wrong command line.`,
		Example: "  banyan parked drop orders --key 12 --through 7 --confirm",
		Args:    oneService,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !cmd.Flags().Changed("key"):
				return usageError{errors.New("--key is missing: say whose parked events are given up")}
			case through < 0:
				return usageError{fmt.Errorf("--through %d is no number of a parked event", through)}
			case !confirm:
				return usageError{errors.New("what is dropped is not applied any more: say --confirm once you have looked at it with `banyan parked show`")}
			}
			return f.ask(cmd.Context(), sys, args[0], func(ctx context.Context, service consumerv1.ConsumerServiceClient) error {
				done, err := service.DropParked(ctx, &consumerv1.DropParkedRequest{Key: proto.String(key), Through: through})
				if err != nil {
					return err
				}
				return f.show(sys, done, func(paint) string {
					return fmt.Sprintf("%d given up under the key %s\n", done.GetDropped(), printable(strconv.Quote(key)))
				})
			})
		},
	}
	f.flags(cmd, commandTimeout)
	keyFlag(cmd, &key, "those")
	cmd.Flags().Int64Var(&through, "through", 0, "only those up to this `NUMBER`")
	cmd.Flags().BoolVar(&confirm, "confirm", false, "yes, give them up")
	return cmd
}
