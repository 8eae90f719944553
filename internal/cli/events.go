package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/mirror/change"
)

func newEvents(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Look at the mirror's events, or describe them",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEventsTail(sys), newEventsReplay(sys), newEventsDescribe(sys))
	return cmd
}

// eventView is what tail and replay share: what is shown, and how.
type eventView struct {
	file, output, colour string
	full                 bool
	limit                int
}

const patternHelp = `PATTERN chooses events by routing key, row.TABLE.OPERATION, as bindings of a topic
exchange do: * stands for one word, # for any number. A word alone is a table.`

func (v *eventView) flags(cmd *cobra.Command) {
	configFlag(cmd, &v.file)
	outputFlag(cmd, &v.output)
	cmd.Flags().StringVar(&v.colour, "color", "auto", "colours: auto, always or never")
	cmd.Flags().BoolVar(&v.full, "full", false, "show values in full, and columns that did not change")
	cmd.Flags().IntVarP(&v.limit, "number", "n", 0, "end after so many events; 0: don't")
}

func newEventsTail(sys System) *cobra.Command {
	var v eventView
	cmd := &cobra.Command{
		Use:   "tail [PATTERN]",
		Short: "Show events as they come, until Ctrl-C",
		Long:  "Show events as they come, until Ctrl-C. They are read from the history.\n\n" + patternHelp,
		Example: "  banyan events tail\n  banyan events tail orders\n  banyan events tail 'row.*.delete' -o json\n" +
			"  banyan events tail -n 1",
		Args: onePattern,
		RunE: func(cmd *cobra.Command, args []string) error {
			show, err := v.printer(sys)
			if err != nil {
				return err
			}
			return v.read(cmd.Context(), sys, args, rabbitmq.Next(), false, show)
		},
	}
	v.flags(cmd)
	return cmd
}

func newEventsReplay(sys System) *cobra.Command {
	var v eventView
	var from, until, queue string
	cmd := &cobra.Command{
		Use:   "replay [PATTERN]",
		Short: "Show past events, or send them to one queue again",
		Long: `Show past events from the history, up to its end as of now, or send them to one
queue again, with the ids and versions that they had.

--from is first, an event's id, a time (2026-01-31T12:00:00Z, or a date, in UTC), or
a duration back from now such as 90m or 2d. --until is the same, and is not included.

` + patternHelp,
		Example: "  banyan events replay --from 10m\n  banyan events replay --from 0-1-4711:1 orders\n" +
			"  banyan events replay --from 2026-01-31T12:00:00Z --queue billing.orders 'row.orders.*'",
		Args: onePattern,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			start, err := parsePoint("--from", from, time.Now())
			if err != nil {
				return err
			}
			end := point{}
			if until != "" {
				if end, err = parsePoint("--until", until, time.Now()); err != nil {
					return err
				}
			}
			show, err := v.printer(sys)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("queue") {
				if queue == "" {
					return usageError{errors.New("--queue is empty: name the queue")}
				}
				send, finish, err := v.sender(cmd.Context(), sys, queue)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, finish(sys.Stdout, err)) }()
				show = send
			}
			span := &span{from: start, until: end, show: show}
			if err := v.read(cmd.Context(), sys, args, start.from(), true, span.take); err != nil {
				return err
			}
			return span.missing()
		},
	}
	v.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "where to begin: first, an event's `ID`, a time, or a duration back (required)")
	cmd.Flags().StringVar(&until, "until", "", "where to end, without it: an event's `ID`, a time, or a duration back")
	cmd.Flags().StringVar(&queue, "queue", "", "send the events to this `QUEUE` instead of showing them")
	_ = cmd.MarkFlagRequired("from") // the flag exists
	return cmd
}

func onePattern(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("%s takes one pattern, but was given %d; put it in quotes, so that the shell leaves * alone", cmd.CommandPath(), len(args))}
	}
	return nil
}

// taker takes an event, if it matches, and says whether it did.
type taker func(d *rabbitmq.Delivery, matches bool) (taken bool, err error)

// errEnough ends reading.
var errEnough = errors.New("enough events")

// read reads events that match from the history, and gives each to take.
func (v *eventView) read(ctx context.Context, sys System, args []string, from rabbitmq.From, toEnd bool, take taker) (err error) {
	if v.limit < 0 {
		return usageError{fmt.Errorf("-n %d: write how many events, or 0 for all", v.limit)}
	}
	pattern, err := parsePattern(args)
	if err != nil {
		return err
	}
	cfg, logger, err := v.config(sys)
	if err != nil {
		return err
	}
	history, err := app.OpenHistory(ctx, cfg, from, toEnd, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, history.Close()) }()
	for n := 0; v.limit == 0 || n < v.limit; {
		d, err := history.Next(ctx)
		switch {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		matches := slices.ContainsFunc(append(d.Also, d.Key), func(key string) bool { return rabbitmq.Match(pattern, key) })
		taken, err := take(d, matches)
		switch {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return err
		case taken:
			n++
		}
	}
	return nil
}

// parsePattern reads what chooses events. A pattern that no routing key can match is a mistake.
func parsePattern(args []string) (string, error) {
	if len(args) == 0 {
		return "#", nil
	}
	pattern := args[0]
	if pattern != "" && !strings.ContainsAny(pattern, ".#") {
		pattern = "row." + pattern + ".*"
	}
	words := strings.Split(pattern, ".")
	for _, word := range words {
		if word == "" || len(word) > 1 && strings.ContainsAny(word, "*#") {
			return "", usageError{fmt.Errorf("%q is no pattern: * and # stand for whole words, as in row.*.delete, row.orders.# or #", args[0])}
		}
	}
	if len(words) != 3 && !strings.Contains(pattern, "#") {
		return "", usageError{fmt.Errorf("%q matches nothing: routing keys have three words, row.TABLE.OPERATION", args[0])}
	}
	return pattern, nil
}

// config reads the config. Its faults matter only where they are about the broker.
func (v *eventView) config(sys System) (*config.Config, *slog.Logger, error) {
	cfg, faults := config.Load(v.file, sys.LookupEnv)
	if cfg.Broker.URL.Reveal() == "" && faults.Failed() {
		return nil, nil, faults.Err()
	}
	return cfg, slog.New(cfg.Log.Handler(sys.Stderr)), nil
}

// printer gives what shows an event.
func (v *eventView) printer(sys System) (taker, error) {
	if err := checkOutput(v.output); err != nil {
		return nil, err
	}
	w := eventWriter{full: v.full}
	switch v.colour {
	case "always":
		w.colour = true
	case "auto":
		w.colour = bool(colours(sys))
	case "never":
	default:
		return nil, usageError{fmt.Errorf("--color %s is none of auto, always and never", v.colour)}
	}
	if v.output == "json" {
		out := json.NewEncoder(sys.Stdout)
		out.SetEscapeHTML(false)
		return func(d *rabbitmq.Delivery, matches bool) (bool, error) {
			if !matches {
				return false, nil
			}
			return true, out.Encode(newEventJSON(&d.Message, d.Offset))
		}, nil
	}
	return func(d *rabbitmq.Delivery, matches bool) (bool, error) {
		if !matches {
			return false, nil
		}
		_, err := fmt.Fprintln(sys.Stdout, w.line(&d.Message))
		return true, err
	}, nil
}

func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// sender gives what sends an event to a queue, and what waits until all have arrived.
func (v *eventView) sender(ctx context.Context, sys System, queue string) (send taker, finish func(io.Writer, error) error, err error) {
	cfg, logger, err := v.config(sys)
	if err != nil {
		return nil, nil, err
	}
	if !cfg.MirrorOn() && cfg.Broker.URL.Reveal() == "" {
		return nil, nil, errors.New("the config has no broker.url")
	}
	feed, err := app.OpenQueue(ctx, cfg, queue, logger)
	if err != nil {
		return nil, nil, err
	}
	sent := 0
	send = func(d *rabbitmq.Delivery, matches bool) (bool, error) {
		if !matches {
			return false, nil
		}
		sent++
		m := d.Message
		m.Also = nil // they name other queues here
		return true, feed.Send(ctx, &m)
	}
	finish = func(w io.Writer, failed error) error {
		var err error
		if failed == nil {
			if err = feed.Flush(ctx); err == nil {
				fmt.Fprintf(w, "%d events sent to %s\n", sent, queue)
			}
		}
		return errors.Join(err, feed.Close())
	}
	return send, finish, nil
}

// point is a place in the history: an event, a time, or its beginning.
type point struct {
	id    string
	at    time.Time
	first bool
}

// parsePoint reads a place as a person writes it.
func parsePoint(flag, text string, now time.Time) (point, error) {
	if text == "first" && flag == "--from" {
		return point{first: true}, nil
	}
	back := text
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n < 100_000 {
			back = strconv.Itoa(24*n) + "h"
		}
	}
	if d, err := time.ParseDuration(back); err == nil && d > 0 {
		return point{at: now.Add(-d)}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			return point{at: t}, nil
		}
	}
	if i := strings.LastIndexByte(text, ':'); i > 0 && strings.Trim(text[i+1:], "0123456789c") == "" && text[i+1:] != "" {
		return point{id: text}, nil
	}
	return point{}, usageError{fmt.Errorf("%s %q is no place in the history: write first, an event's id, a time such as 2026-01-31T12:00:00Z, or a duration such as 90m", flag, text)}
}

func (p point) from() rabbitmq.From {
	if p.at.IsZero() {
		return rabbitmq.First()
	}
	return rabbitmq.Time(p.at)
}

// reached says whether an event is at the point or behind it.
func (p point) reached(m *change.Message) bool {
	switch {
	case p.id != "":
		return m.ID == p.id
	case !p.at.IsZero():
		return !m.Time.Before(p.at.Truncate(time.Second)) // MariaDB's commit times are whole seconds
	default:
		return p.first
	}
}

// span takes what is between two points.
type span struct {
	from, until point
	show        taker
	begun       bool
}

func (s *span) take(d *rabbitmq.Delivery, matches bool) (bool, error) {
	s.begun = s.begun || s.from.reached(&d.Message)
	if !s.begun {
		return s.show(d, false)
	}
	if (s.until.id != "" || !s.until.at.IsZero()) && s.until.reached(&d.Message) {
		return false, errEnough
	}
	return s.show(d, matches)
}

// missing says that the event to begin with is not kept.
func (s *span) missing() error {
	if s.begun || s.from.id == "" {
		return nil
	}
	return fmt.Errorf("the history has no event %s: it never was, or is older than mirror.history keeps", s.from.id)
}
