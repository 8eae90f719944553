package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler/backfill"
)

// Fills are what backfills stand on.
type Fills struct {
	Book backfill.Book
	// Tables reads tables; of a service's stream it is nil.
	Tables Tables
	// Has says whether the mirror sends changes of a table; nil: of all. It may be fewer than when a backfill was asked for.
	Has func(schema, table string) bool
	// Announcer tells a service of entities; of a mirror of rows it is nil.
	Announcer Announcer
	// Every is the time between two looks for something to do, and between two savings of how far it is; by default 1 s.
	Every time.Duration
}

func (f *Fills) every() time.Duration {
	if f.Every <= 0 {
		return time.Second
	}
	return f.Every
}

// filled is the table that is being sent.
type filled struct {
	schema, table string
	// swept is the version of the last change that took rows away, or changed them, without an event for each: what was read
	// before it can't be sent behind it, since nothing would tell a consumer what became of it.
	swept change.Version
}

// is says whether names are the table's; an empty table stands for all of a schema's, and an empty schema for all.
func (f *filled) is(schema, table string) bool {
	if table == "" {
		return schema == "" || strings.EqualFold(schema, f.schema)
	}
	return strings.EqualFold(schema, f.schema) && strings.EqualFold(table, f.table)
}

// reachedBy says whether foreign keys reach the table.
func (f *filled) reachedBy(relations []Relation) bool {
	for i := range relations {
		if f.is(relations[i].Schema, relations[i].Table) || f.reachedBy(relations[i].Next) {
			return true
		}
	}
	return false
}

// sweeps notes a change of many rows at once that is about to be sent, and whether it concerns the table that is being sent.
func (s *rowEvents) sweeps(number uint32, cascade bool, concerns func(*filled) bool) {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.swept = change.Version{Epoch: s.encoder.epoch, File: s.encoder.tx.File, Offset: s.encoder.tx.Offset, Row: number, Cascade: cascade}
	if s.filled != nil && concerns(s.filled) {
		s.filled.swept = s.swept
	}
}

// fill does the mirror's backfills, one after another, until ctx ends or sending fails. What else fails is tried again, in its turn.
func (s *session) fill(ctx context.Context) error {
	state := s.term.State()
	told := ""
	after := uint64(0) // the one that can't go on: others come first
	for ctx.Err() == nil {
		job, found, err := s.o.Fills.Book.Claim(ctx, s.o.Name, state.Term, s.encoder.epoch, after)
		if err == nil && !found && after != 0 {
			after = 0
			continue
		}
		if err == nil && found {
			s.o.Logger.Info("a backfill goes on", "backfill", job.ID, "of", job.String(), "done", job.Done)
			err = s.do(ctx, job)
			var broken *sendError
			if errors.As(err, &broken) {
				return broken.cause
			}
			if err != nil {
				after = job.ID
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // whatever failed, it did so because it was told to end
		case err == nil && found:
			told = ""
			continue
		case err != nil && err.Error() != told:
			told = err.Error()
			s.o.Logger.Warn("a backfill can't go on; it is tried again", "backfill", job.ID, "cause", err)
		}
		wait(ctx, s.o.Fills.every())
	}
	return nil
}

// sendError is a failure of the broker's, after which the mirror begins again.
type sendError struct{ cause error }

func (e *sendError) Error() string { return e.cause.Error() }
func (e *sendError) Unwrap() error { return e.cause }

// do does a backfill until it is over, or can't go on.
func (s *session) do(ctx context.Context, job backfill.Job) error {
	var err error
	switch {
	case job.IsTable() && s.o.Fills.Has != nil && !s.o.Fills.Has(job.Schema, job.Name):
		err = &UnreadableError{What: fmt.Sprintf("the mirror %s sends no changes of %s", s.o.Name, job.String()), Fix: "see mirror.tables in the config of the process that leads it"}
	case job.IsTable() && s.o.Fills.Tables != nil:
		err = s.fillTable(ctx, &job)
	case !job.IsTable() && s.o.Fills.Announcer != nil:
		err = s.announce(ctx, &job)
	default:
		err = &UnreadableError{What: fmt.Sprintf("the mirror %s does not send %s", s.o.Name, job.String())}
	}
	var unreadable *UnreadableError
	switch {
	case errors.Is(err, errStopped):
		s.o.Logger.Info("a backfill was stopped", "backfill", job.ID, "of", job.String(), "done", job.Done)
		return nil
	case errors.As(err, &unreadable):
		s.o.Logger.Error("a backfill has failed", "backfill", job.ID, "of", job.String(), "cause", err)
		job.State, job.Note = backfill.Failed, unreadable.Error()
	case err != nil:
		job.Note = "tried again: " + err.Error()
		if still, saveErr := s.o.Fills.Book.Save(ctx, job); saveErr == nil && !still {
			return nil
		}
		return err
	default:
		s.o.Logger.Info("a backfill is done", "backfill", job.ID, "of", job.String(), "done", job.Done)
		job.State, job.Note = backfill.Done, ""
	}
	_, err = s.o.Fills.Book.Save(ctx, job)
	return err
}

// errStopped says that a backfill was stopped, or is another leader's.
var errStopped = errors.New("the backfill was stopped")

// keep saves how far a job is. Its error says that the job is not to go on.
func (s *session) keep(ctx context.Context, job *backfill.Job) error {
	still, err := s.o.Fills.Book.Save(ctx, *job)
	if err == nil && !still {
		return errStopped
	}
	return err
}

// behind says whether the live stream is so late that a backfill has to wait, and what for.
func (s *session) behind(job *backfill.Job) (why string) {
	status := s.m.watch.status(time.Now())
	switch lag := status.LagSeconds; {
	case status.Blocked != "":
		return "waits: the broker takes nothing (" + status.Blocked + ")"
	case lag != nil && job.MaxLag > 0 && *lag > job.MaxLag.Seconds():
		return fmt.Sprintf("waits: the mirror is %.0f s behind, and --max-lag is %s", *lag, job.MaxLag)
	}
	return ""
}
