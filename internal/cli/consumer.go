package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
)

func newConsumer(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "consumer",
		Short: "Look at a new service, and hold it against the protocol",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConsumerStatus(sys), newConsumerTest(sys))
	return cmd
}

func newConsumerStatus(sys System) *cobra.Command {
	var f serviceFlags
	cmd := &cobra.Command{
		Use:   "status SERVICE",
		Short: "Show how far a new service is, and what holds it up",
		Long: `Show how far a new service is with Banyan's events: what waits in its queues, what is
parked, its epochs, and what the process that answers has done since it was started.

` + serviceHelp + `

Exit codes: 0 shown, 1 a failure, 2 wrong command line.`,
		Example: "  banyan consumer status orders\n  banyan consumer status orders -o json",
		Args:    oneService,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.ask(cmd.Context(), sys, args[0], func(ctx context.Context, service consumerv1.ConsumerServiceClient) error {
				is, err := service.GetStatus(ctx, &consumerv1.GetStatusRequest{})
				if err != nil {
					return err
				}
				return f.show(sys, is, func(p paint) string { return f.servicePage(p, args[0], is) })
			})
		},
	}
	f.flags(cmd, askTimeout)
	return cmd
}

func (f *serviceFlags) servicePage(p paint, name string, is *consumerv1.ServiceStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", p.in(bold, printable(is.GetService())))
	if is.GetService() != name {
		fmt.Fprintf(&b, "  %s\n", p.in(red, "it calls itself so, and not "+printable(name)+": is the target right?"))
	}
	if is.GetParkedEvents() == 0 {
		fmt.Fprintf(&b, "  parked     nothing\n")
	} else {
		fmt.Fprintf(&b, "  parked     %s\n", p.in(red, fmt.Sprintf("%d events under %d keys, since %s, UTC", is.GetParkedEvents(), is.GetParkedKeys(), moment(is.GetParkedSince()))))
	}
	epochs := make([]string, 0, len(is.GetEpochs()))
	for _, e := range is.GetEpochs() {
		epochs = append(epochs, printable(e.GetCapability())+" "+strconv.FormatUint(e.GetEpoch(), 10))
	}
	if len(epochs) > 0 {
		fmt.Fprintf(&b, "  epochs     %s\n", strings.Join(epochs, ", "))
	}
	c := is.GetCounters()
	fmt.Fprintf(&b, "  events     %d applied, %d of them parked before, %d no news, %d of its own writes, %d parked\n",
		c.GetApplied()+c.GetRetried(), c.GetRetried(), c.GetIgnored(), c.GetKept(), c.GetParked())
	fmt.Fprintf(&b, "  writes     %d done, %d known already, %d of a passed epoch\n", c.GetWritten(), c.GetReplayed(), c.GetRefused())
	fmt.Fprintf(&b, "  fences     %d answered\n", c.GetFences())
	if n := is.GetProcesses(); n > 0 {
		fmt.Fprintf(&b, "  processes  %d share the queues\n", n)
	}
	if len(is.GetQueues()) > 0 {
		rows := make([][]string, 0, len(is.GetQueues()))
		for _, q := range is.GetQueues() {
			here := ""
			if q.GetDue() {
				here = "here"
			}
			rows = append(rows, []string{printable(q.GetName()), strconv.FormatInt(q.GetWaiting(), 10), strconv.Itoa(int(q.GetConsumers())), here, lasting(q.GetLag().AsDuration()), printable(q.GetError())})
		}
		b.WriteString("\n" + p.columns([]string{"QUEUE", "WAITING", "CONSUMERS", "DUE", "LAG", "TROUBLE"}, rows, func(row, column int) string {
			return shade(column == 2 && is.GetQueues()[row].GetConsumers() == 0 || column == 5, red, "")
		}))
	}
	if is.GetParkedEvents() > 0 {
		fmt.Fprintf(&b, "Next: %s\n", f.next("banyan parked list "+name))
	}
	return b.String()
}
