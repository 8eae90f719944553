package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler/backfill"
)

const backfillsPath = "/admin/v1/backfills"

func newBackfill(sys System) *cobra.Command {
	var f adminFlags
	r := &adminv1.StartBackfillsRequest{}
	var rate int64
	var lag time.Duration
	var detach bool
	cmd := &cobra.Command{
		Use:   "backfill TABLE|ENTITY…|--all",
		Short: "Send what was there before, beside the live stream",
		Long: `Send what was there before: a table's rows as events with the operation read, to the
exchange and the history; an entity, named by its message, to the services that are
told of it. Live changes go on meanwhile, and win where they are newer: consumers
compare versions.

It is done in chunks by the process that leads the mirror, and goes on after a
restart of any. It waits while the mirror is further behind than --max-lag. Tables
need a primary key, or a unique one without NULLs. This command shows how far it is
until it is over; when interrupted, the backfill goes on.

` + whomHelp + `

Exit codes: 0 sent (with --detach: begun), 1 failed, stopped, or refused,
2 wrong command line.`,
		Example:     "  banyan backfill orders\n  banyan backfill --all --rate 5000 --detach\n  banyan backfill shop.v2.Order --service orders\n  banyan backfill status",
		Annotations: map[string]string{takesArguments: "TABLE or ENTITY"},
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case r.GetAll() && len(args) > 0:
				return usageError{errors.New("name tables and entities, or say --all, not both")}
			case r.GetAll() && r.GetService() != "":
				return usageError{errors.New("--all are tables, and a service is told of entities: name one instead")}
			case !r.GetAll() && len(args) == 0:
				return usageError{fmt.Errorf("%s needs a TABLE, an ENTITY such as shop.v2.Order, or --all", cmd.CommandPath())}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if rate < 0 || rate > math.MaxUint32 {
				return usageError{fmt.Errorf("--rate %d is out of range: it is rows a second, or 0 for no bound", rate)}
			}
			if lag < time.Millisecond {
				return usageError{fmt.Errorf("--max-lag %s is no time: write a duration such as 5s", lag)}
			}
			r.Targets, r.Rate, r.MaxLag = args, uint32(rate), durationpb.New(lag)
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			body, err := protojson.Marshal(r)
			if err != nil {
				return fmt.Errorf("write the request: %w", err)
			}
			text, err := client.send(cmd.Context(), http.MethodPost, backfillsPath, body)
			if err != nil {
				return err
			}
			begun := &adminv1.StartBackfillsResponse{}
			if err := client.decode(text, begun); err != nil {
				return err
			}
			if detach {
				if f.output == "json" {
					return write(sys.Stdout, string(text))
				}
				return write(sys.Stdout, backfillTable(colours(sys), begun.GetBackfills())+"Next: "+f.next("banyan backfill list")+"\n")
			}
			return f.followBackfills(cmd.Context(), sys, client, begun.GetBackfills())
		},
	}
	f.flags(cmd, askTimeout)
	cmd.Flags().BoolVar(&r.All, "all", false, "all tables that the mirror sends changes of (mirror.tables)")
	cmd.Flags().StringVar(&r.Service, "service", "", "send entities to this `SERVICE` only")
	cmd.Flags().Int64Var(&rate, "rate", 0, "send at most so many rows or entities a second; 0: as fast as it goes")
	cmd.Flags().DurationVar(&lag, "max-lag", backfill.UsualLag, "wait while the mirror is further behind")
	cmd.Flags().BoolVar(&detach, "detach", false, "begin it, and don't wait until it is over")
	cmd.AddCommand(newBackfillStatus(sys), newBackfillStop(sys), newBackfillList(sys))
	return cmd
}

func newBackfillStatus(sys System) *cobra.Command {
	var f adminFlags
	var wait bool
	cmd := &cobra.Command{
		Use:   "status [ID…]",
		Short: "Show how far backfills are: those named, or all that are not over",
		Long: `Show how far backfills are: those named, or all that are not over.

` + whomHelp + `

Exit codes: 0 shown (with --follow: sent), 1 a failure, 2 wrong command line.`,
		Example: "  banyan backfill status\n  banyan backfill status 7 --follow",
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := backfillIDs(args)
			if err != nil {
				return err
			}
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			all := &adminv1.ListBackfillsResponse{}
			for _, id := range ids {
				one := &adminv1.Backfill{}
				if _, err := client.get(cmd.Context(), backfillsPath+"/"+strconv.FormatUint(id, 10), nil, one); err != nil {
					return err
				}
				all.Backfills = append(all.Backfills, one)
			}
			if len(args) == 0 {
				if _, err := client.get(cmd.Context(), backfillsPath, url.Values{"limit": {strconv.Itoa(mostNumber)}}, all); err != nil {
					return err
				}
				all.Backfills = unfinished(all.GetBackfills())
			}
			if wait {
				return f.followBackfills(cmd.Context(), sys, client, all.GetBackfills())
			}
			return f.showBackfills(sys, all, "no backfill is going on; banyan backfill list shows those that were\n")
		},
	}
	f.flags(cmd, askTimeout)
	cmd.Flags().BoolVar(&wait, "follow", false, "show how far they are until they are over")
	return cmd
}

func newBackfillList(sys System) *cobra.Command {
	var f adminFlags
	var number int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List backfills, newest first",
		Long: `List backfills, newest first.

States: waiting, running, done, stopped and failed (the note says why).

` + whomHelp + `

Exit codes: 0 shown, 1 a failure, 2 wrong command line.`,
		Example: "  banyan backfill list -n 20\n  banyan backfill list -o json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := listQuery(nil, number)
			if err != nil {
				return err
			}
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			all := &adminv1.ListBackfillsResponse{}
			if _, err := client.get(cmd.Context(), backfillsPath, query, all); err != nil {
				return err
			}
			return f.showBackfills(sys, all, "nothing was ever sent by a backfill\n")
		},
	}
	f.flags(cmd, askTimeout)
	numberFlag(cmd, &number)
	return cmd
}

func newBackfillStop(sys System) *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:   "stop ID…",
		Short: "Stop backfills that are not over: what was sent stays sent",
		Long: `Stop backfills that are not over: what was sent stays sent. Another one of the same
table begins at the beginning. An ID that there is not doesn't keep the others going.

` + whomHelp + `

Exit codes: 0 stopped, or over before, 1 a failure, 2 wrong command line.`,
		Example: "  banyan backfill stop 7",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("%s needs an ID, as banyan backfill list shows", cmd.CommandPath())}
			}
			ids, err := backfillIDs(args)
			if err != nil {
				return err
			}
			client, err := f.client(sys)
			if err != nil {
				return err
			}
			all := &adminv1.ListBackfillsResponse{}
			var kept error
			for _, id := range ids {
				text, err := client.send(cmd.Context(), http.MethodPost, backfillsPath+"/"+strconv.FormatUint(id, 10)+":stop", []byte("{}"))
				var silent *unanswered
				if errors.As(err, &silent) {
					return errors.Join(kept, err)
				}
				if err != nil {
					kept = errors.Join(kept, err)
					continue
				}
				one := &adminv1.Backfill{}
				if err := client.decode(text, one); err != nil {
					return err
				}
				all.Backfills = append(all.Backfills, one)
			}
			if kept != nil && (len(all.GetBackfills()) == 0 || f.output == "json") {
				return kept
			}
			return errors.Join(kept, f.showBackfills(sys, all, ""))
		},
	}
	f.flags(cmd, askTimeout)
	return cmd
}

// backfillIDs reads all of them before anything is asked.
func backfillIDs(args []string) ([]uint64, error) {
	ids := make([]uint64, 0, len(args))
	for _, arg := range args {
		id, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || id == 0 {
			return nil, usageError{fmt.Errorf("%q is no ID of a backfill, as banyan backfill list shows", arg)}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// over says whether nothing more comes of a backfill.
func over(b *adminv1.Backfill) bool { return backfill.State(b.GetState()).Over() }

func unfinished(all []*adminv1.Backfill) (left []*adminv1.Backfill) {
	for _, b := range all {
		if !over(b) {
			left = append(left, b)
		}
	}
	return left
}

// showBackfills shows some as a table, or as JSON; none stands for an empty table.
func (f *adminFlags) showBackfills(sys System, all *adminv1.ListBackfillsResponse, none string) error {
	if f.output == "json" {
		text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(all)
		if err != nil {
			return fmt.Errorf("write backfills as JSON: %w", err)
		}
		var line bytes.Buffer
		if err := json.Compact(&line, text); err != nil {
			return fmt.Errorf("write backfills as JSON: %w", err)
		}
		return write(sys.Stdout, line.String()+"\n")
	}
	if len(all.GetBackfills()) == 0 {
		return write(sys.Stdout, none)
	}
	return write(sys.Stdout, backfillTable(colours(sys), all.GetBackfills()))
}

func backfillTable(p paint, all []*adminv1.Backfill) string {
	const state = 3
	rows := make([][]string, 0, len(all))
	for _, b := range all {
		rows = append(rows, []string{
			strconv.FormatUint(b.GetId(), 10), printable(b.GetTarget()), printable(b.GetMirror()), printable(b.GetState()), howFar(b), moment(b.GetCreated()),
			printable(b.GetWho()), printable(b.GetNote()),
		})
	}
	return p.columns([]string{"ID", "TARGET", "MIRROR", "STATE", "SENT", "ASKED (UTC)", "WHO", "NOTE"}, rows, func(row, column int) string {
		return shade(column == state, backfillColour(all[row].GetState()), "")
	})
}

func backfillColour(state string) string {
	switch backfill.State(state) {
	case backfill.Done:
		return green
	case backfill.Failed:
		return red
	case backfill.Stopped, backfill.Waiting:
		return yellow
	case backfill.Running:
	}
	return bold
}

// howFar gives what was sent, of about how much.
func howFar(b *adminv1.Backfill) string {
	if b.GetTotal() == 0 || over(b) {
		return grouped(b.GetDone())
	}
	return grouped(b.GetDone()) + " of ~" + grouped(max(b.GetTotal(), b.GetDone()))
}

// grouped writes a number with commas.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	var b strings.Builder
	for i, digit := range text {
		if i > 0 && (len(text)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}
