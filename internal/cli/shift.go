package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/internal/cli/demo"
	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

const outcomeHelp = `Exit codes: 0 done, 1 refused, gone back, failed, or not done within --timeout (it
then goes on by itself), 2 wrong command line.`

func newAdvance(sys System) *cobra.Command {
	var f adminFlags
	var to, reason string
	var percent int32
	var dry bool
	cmd := &cobra.Command{
		Use:   "advance CAPABILITY --to STAGE",
		Short: "Shift a capability's keys to another stage",
		Long: `Shift a capability's keys to another stage (off, mirrored, shadow, live), or with
--percent a share of them: the other keys go to, or stay at, the stage before.
Going back to an earlier stage is a rollback.

It waits for the outcome, and on a terminal says meanwhile what the shift waits for.
A shift that can't finish in time goes back by itself, and says why.

` + whomHelp + `

` + outcomeHelp,
		Example: "  banyan advance orders --to shadow\n  banyan advance orders --to live --percent 25 --reason 'first quarter'\n  banyan advance orders --to live --dry-run",
		Args:    oneCapability,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case to == "":
				return usageError{errors.New("--to is missing: name the stage, one of off, mirrored, shadow and live")}
			case !flags.Stage(to).Valid():
				return usageError{fmt.Errorf("--to %s is no stage to go to: it is off, mirrored, shadow or live", to)}
			case cmd.Flags().Changed("percent") && (percent < 1 || percent > 100):
				return usageError{fmt.Errorf("--percent %d is no share of the keys: it is 1 to 100", percent)}
			}
			wanted, again := to, "banyan advance "+args[0]+" --to "+to
			if percent > 0 {
				wanted += fmt.Sprintf(" %d%%", percent)
				again += fmt.Sprintf(" --percent %d", percent)
			}
			again += because(reason)
			o, text, err := f.command(cmd.Context(), sys, "advance", args[0],
				&adminv1.AdvanceRequest{Stage: to, Percent: percent, Reason: reason, DryRun: dry}, !dry)
			if err != nil {
				return err
			}
			return f.finish(sys, o, text, dry, func(p paint) string {
				switch {
				case dry:
					return dryPage(args[0], o) + "Next: " + f.next(again) + "\n"
				case o.GetDone():
					return advancedPage(p, args[0], o, f.next(voids(args[0])))
				}
				return p.in(red, printable(fmt.Sprintf("%s: not shifted to %s: %s", args[0], wanted, o.GetWhy()))) + "\n" +
					"Next: " + f.next("banyan status "+args[0]) + "\n"
			})
		},
	}
	f.flags(cmd, commandTimeout)
	commandFlags(cmd, &reason, &dry)
	cmd.Flags().StringVar(&to, "to", "", "the `STAGE` to shift to (required)")
	cmd.Flags().Int32Var(&percent, "percent", 0, "shift only this share `N` of the keys, 1 to 100")
	stages := []string{string(flags.Off), string(flags.Mirrored), string(flags.Shadow), string(flags.Live)}
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions(stages, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	return cmd
}

func newRollback(sys System) *cobra.Command {
	var f adminFlags
	var reason string
	var dry bool
	cmd := &cobra.Command{
		Use:   "rollback CAPABILITY",
		Short: "Put all keys of a capability that are past shadow back to shadow",
		Long: `Put all keys of a capability that are past shadow back to shadow: at once every
replica reads from legacy, which has every acknowledged write. It waits until all
replicas say so. It needs nothing of the new service, and may be given in the middle
of a shift.

Writes that were under way get a short time to end, and are given up then: they were
not acknowledged, and their callers are answered by legacy.

` + whomHelp + `

` + outcomeHelp,
		Example: "  banyan rollback orders --reason 'wrong totals'\n  banyan rollback orders --dry-run",
		Args:    oneCapability,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, text, err := f.command(cmd.Context(), sys, "rollback", args[0], &adminv1.RollbackRequest{Reason: reason, DryRun: dry}, !dry)
			if err != nil {
				return err
			}
			return f.finish(sys, o, text, dry, func(p paint) string {
				if dry {
					return dryPage(args[0], o) + "Next: " + f.next("banyan rollback "+args[0]+because(reason)) + "\n"
				}
				page := rolledBackPage(p, args[0], o, f.next(voids(args[0])))
				if !o.GetDone() {
					page += "Next: " + f.next("banyan status "+args[0]) + "\n"
				}
				return page
			})
		},
	}
	f.flags(cmd, commandTimeout)
	commandFlags(cmd, &reason, &dry)
	return cmd
}

// because gives the flag of a reason as a shell wants it.
func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " --reason " + demo.Quote(reason)
}

func commandFlags(cmd *cobra.Command, reason *string, dry *bool) {
	cmd.Flags().StringVar(reason, "reason", "", "why, for the history: a `TEXT` on one line")
	cmd.Flags().BoolVar(dry, "dry-run", false, "say what would be done, and change nothing")
}

// oneCapability takes the name of a capability.
func oneCapability(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usageError{fmt.Errorf("%s takes the name of one capability, but was given %d words: `banyan status` lists the names", cmd.CommandPath(), len(args))}
	}
	return nil
}

// capabilityOrAll takes the name of a capability, or nothing.
func capabilityOrAll(cmd *cobra.Command, args []string) error {
	if len(args) > 1 || len(args) == 1 && args[0] == "" {
		return usageError{fmt.Errorf("%s takes the name of one capability, or nothing for all: `banyan status` lists the names", cmd.CommandPath())}
	}
	return nil
}

// command gives a command and waits for its outcome; on a terminal it tells of the way there.
func (f *adminFlags) command(ctx context.Context, sys System, verb, capability string, request proto.Message, tell bool) (*adminv1.Outcome, []byte, error) {
	client, err := f.client(sys)
	if err != nil {
		return nil, nil, err
	}
	body, err := protojson.Marshal(request)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--reason has to be text in UTF-8: %w", err)}
	}
	done := func() {}
	if tell && terminal(sys.Stderr) {
		done = follow(ctx, sys.Stderr, func(ctx context.Context) (*adminv1.CapabilityStatus, error) {
			told, _, err := client.status(ctx, capability)
			return told, err
		})
	}
	text, err := client.send(ctx, http.MethodPost, capabilityPath(capability)+":"+verb, body)
	done()
	if err != nil {
		return nil, nil, f.left(ctx, capability, err)
	}
	outcome := &adminv1.Outcome{}
	return outcome, text, client.decode(text, outcome)
}

// left adds to an error what became of a command that may have arrived.
func (f *adminFlags) left(ctx context.Context, capability string, err error) error {
	const onward = "a command that was begun goes on by itself: see `%s`"
	look := f.next("banyan status " + capability)
	var none *unanswered
	switch {
	case !errors.As(err, &none) || !none.sent:
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("stopped waiting; "+onward, look)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within --timeout %s; "+onward, f.timeout, look)
	}
	return fmt.Errorf("%w; "+onward, err, look)
}

// finish shows an outcome. One that is not done is a failure.
func (f *adminFlags) finish(sys System, o *adminv1.Outcome, text []byte, dry bool, page func(paint) string) error {
	if f.output != "json" {
		text = []byte(page(colours(sys)))
	}
	if err := write(sys.Stdout, string(text)); err != nil {
		return err
	}
	if !o.GetDone() && !dry {
		return errReported
	}
	return nil
}

func advancedPage(p paint, capability string, o *adminv1.Outcome, look string) string {
	line := fmt.Sprintf("%s: %s (version %d) in %s", capability, p.in(bold, printable(o.GetTo())), o.GetVersion(), lasting(o.GetTook().AsDuration()))
	if paused := o.GetPaused().AsDuration(); paused > 0 {
		line += "; writes paused " + lasting(paused)
	}
	line += fmt.Sprintf("; %d/%d replicas\n", o.GetReplicas(), o.GetOf())
	return line + besides(p, o, look)
}

func rolledBackPage(p paint, capability string, o *adminv1.Outcome, look string) string {
	line := fmt.Sprintf("%d/%d replicas on legacy after %s", o.GetReplicas(), o.GetOf(), lasting(o.GetTook().AsDuration()))
	page := p.in(shade(o.GetReplicas() >= o.GetOf(), green, red), line) + "\n"
	if !o.GetDone() {
		return page + p.in(red, printable(fmt.Sprintf("%s: not done: %s", capability, o.GetWhy()))) + "\n" + besides(p, o, look)
	}
	page += fmt.Sprintf("%s: %s (version %d)", capability, p.in(bold, printable(o.GetTo())), o.GetVersion())
	if paused := o.GetPaused().AsDuration(); paused > 0 {
		page += "; writes paused " + lasting(paused)
	}
	return page + "\n" + besides(p, o, look)
}

// voids lists the writes that were given up.
func voids(capability string) string { return "banyan writes list " + capability + " --state void" }

// besides says what else became of a command; look lists the writes that were given up.
func besides(p paint, o *adminv1.Outcome, look string) string {
	var b strings.Builder
	if n := o.GetVoided(); n > 0 {
		fmt.Fprintf(&b, "%s\n", p.in(yellow, fmt.Sprintf("open writes given up: %d (%s)", n, look)))
	}
	if fenced := o.GetFenced(); len(fenced) > 0 {
		fmt.Fprintf(&b, "%s\n", p.in(yellow, printable("silent, may not write until they have joined again: "+strings.Join(fenced, ", "))))
	}
	return b.String()
}

func dryPage(capability string, o *adminv1.Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", printable(fmt.Sprintf("%s: %s → %s. Nothing was changed; this would be done:", capability, o.GetFrom(), o.GetTo())))
	for i, step := range o.GetSteps() {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, printable(step))
	}
	if o.GetWhy() != "" {
		fmt.Fprintf(&b, "%s\n", printable("But: "+o.GetWhy()))
	}
	return b.String()
}
