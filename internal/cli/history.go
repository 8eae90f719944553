package cli

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler"
)

// What of lists is shown.
const (
	usualNumber = 100
	mostNumber  = 1000
)

func newHistory(sys System) *cobra.Command {
	var f adminFlags
	var number int
	cmd := &cobra.Command{
		Use:   "history [CAPABILITY]",
		Short: "Show what was commanded, and what became of it",
		Long: `Show what was commanded, by whom and why, and what became of it, newest first.

` + whomHelp + `

Exit codes: 0 shown, 1 a failure, 2 wrong command line.`,
		Example: "  banyan history\n  banyan history orders -n 20 -o json",
		Args:    capabilityOrAll,
		RunE: func(cmd *cobra.Command, args []string) error {
			query, err := listQuery(args, number)
			if err != nil {
				return err
			}
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			all := &adminv1.ListHistoryResponse{}
			text, err := client.get(cmd.Context(), "/admin/v1/history", query, all)
			switch {
			case err != nil:
				return err
			case f.output == "json":
				return write(sys.Stdout, string(text))
			case len(all.GetAudits()) == 0:
				return write(sys.Stdout, "nothing has happened yet\n")
			}
			return write(sys.Stdout, historyTable(colours(sys), all.GetAudits()))
		},
	}
	f.flags(cmd, askTimeout)
	numberFlag(cmd, &number)
	return cmd
}

func historyTable(p paint, all []*adminv1.Audit) string {
	const what = 3
	rows := make([][]string, 0, len(all))
	for _, a := range all {
		stages := a.GetTo()
		if a.GetFrom() != "" {
			stages = a.GetFrom() + " → " + a.GetTo()
		}
		rows = append(rows, []string{
			moment(a.GetAt()), printable(a.GetCapability()), strconv.FormatUint(a.GetVersion(), 10), printable(a.GetWhat()),
			printable(stages), printable(a.GetWho()), printable(a.GetReason()),
		})
	}
	return p.columns([]string{"TIME (UTC)", "CAPABILITY", "VERSION", "WHAT", "STAGES", "WHO", "REASON"}, rows, func(_, column int) string {
		return shade(column == what, bold, "")
	})
}

func newWrites(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "writes",
		Short: "Look at live writes, those that go to the new service and to legacy",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWritesList(sys))
	return cmd
}

func newWritesList(sys System) *cobra.Command {
	var f adminFlags
	var number int
	var state string
	cmd := &cobra.Command{
		Use:   "list [CAPABILITY]",
		Short: "List live writes, newest first",
		Long: `List live writes, newest first.

States: open (begun: legacy doesn't have it yet), closed (both sides have it), failed
(the new service has refused it), void (a rollback has given it up) and doubt (the new
service has it, and legacy can't take it as it is: a person decides).

` + whomHelp + `

Exit codes: 0 shown, 1 a failure, 2 wrong command line.`,
		Example: "  banyan writes list\n  banyan writes list orders --state open\n  banyan writes list --state doubt -o json",
		Args:    capabilityOrAll,
		RunE: func(cmd *cobra.Command, args []string) error {
			query, err := listQuery(args, number)
			if err != nil {
				return err
			}
			switch strangler.WriteState(state) {
			case strangler.WriteOpen, strangler.WriteClosed, strangler.WriteFailed, strangler.WriteVoid, strangler.WriteDoubt:
				query.Set("state", state)
			default:
				if cmd.Flags().Changed("state") {
					return usageError{fmt.Errorf("--state %s is no state of a write: it is open, closed, failed, void or doubt", state)}
				}
			}
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			all := &adminv1.ListWritesResponse{}
			text, err := client.get(cmd.Context(), "/admin/v1/writes", query, all)
			switch {
			case err != nil:
				return err
			case f.output == "json":
				return write(sys.Stdout, string(text))
			case len(all.GetWrites()) == 0:
				return write(sys.Stdout, "no such writes\n")
			}
			return write(sys.Stdout, writesTable(colours(sys), all.GetWrites()))
		},
	}
	f.flags(cmd, askTimeout)
	numberFlag(cmd, &number)
	cmd.Flags().StringVar(&state, "state", "", "only writes in this `STATE`: open, closed, failed, void or doubt")
	states := []string{string(strangler.WriteOpen), string(strangler.WriteClosed), string(strangler.WriteFailed), string(strangler.WriteVoid), string(strangler.WriteDoubt)}
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
	return cmd
}

func writesTable(p paint, all []*adminv1.Write) string {
	const state = 2
	rows := make([][]string, 0, len(all))
	for _, w := range all {
		key := "–"
		if w.GetKeyed() {
			key = w.GetKey()
		}
		rows = append(rows, []string{
			w.GetId(), printable(w.GetCapability()), printable(w.GetState()), printable(w.GetOperation()), printable(w.GetEntity()), printable(key),
			strconv.FormatUint(w.GetEpoch(), 10), printable(w.GetReplica()), moment(w.GetCreated()), printable(w.GetReason()),
		})
	}
	head := []string{"ID", "CAPABILITY", "STATE", "OPERATION", "ENTITY", "KEY", "EPOCH", "REPLICA", "CREATED (UTC)", "REASON"}
	return p.columns(head, rows, func(row, column int) string {
		if column != state {
			return ""
		}
		switch strangler.WriteState(all[row].GetState()) {
		case strangler.WriteDoubt:
			return red
		case strangler.WriteOpen, strangler.WriteVoid:
			return yellow
		case strangler.WriteClosed, strangler.WriteFailed:
		}
		return ""
	})
}

func numberFlag(cmd *cobra.Command, number *int) {
	cmd.Flags().IntVarP(number, "number", "n", usualNumber, fmt.Sprintf("show at most so many, up to %d", mostNumber))
}

func listQuery(args []string, number int) (url.Values, error) {
	if number < 1 || number > mostNumber {
		return nil, usageError{errors.New("-n " + strconv.Itoa(number) + " is out of range: it is 1 to " + strconv.Itoa(mostNumber))}
	}
	query := url.Values{"limit": {strconv.Itoa(number)}}
	if len(args) == 1 {
		query.Set("capability", args[0])
	}
	return query, nil
}

// moment gives a time in UTC, to the second.
func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return "–"
	}
	return t.AsTime().Format("2006-01-02 15:04:05")
}
