package app

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/strangler/backfill"
	"banyan.dev/banyan/strangler/control"
)

// announcing is what backfills of entities stand on, for all services.
type announcing struct {
	project *Project
	backend *legacy.Backend
	conns   *pool.Pool
	control *store.Control
	ledger  *store.Ledger
	answers *rabbitmq.Answers
}

func (a *App) openAnnouncing(backend *legacy.Backend, conns *pool.Pool) (*announcing, error) {
	cfg, logger := a.project.Config, a.opts.Logger
	out := &announcing{project: a.project, backend: backend, conns: conns}
	var err error
	if out.answers, err = rabbitmq.NewAnswers(brokerConnection(cfg, "answers to backfills", logger)); err != nil {
		return nil, err
	}
	if out.control, err = store.NewControl(storeOptions(cfg, logger)); err != nil {
		return nil, err
	}
	if out.ledger, err = store.NewLedger(storeOptions(cfg, logger)); err != nil {
		return nil, errors.Join(err, out.control.Close())
	}
	return out, nil
}

// Close gives up what was opened.
func (a *announcing) Close() error { return errors.Join(a.control.Close(), a.ledger.Close()) }

// announcer is the mirror.Announcer of a service.
type announcer struct {
	*announcing
	service string
}

var _ mirror.Announcer = (*announcer)(nil)

const (
	// mostAnnounced is how many entities are announced before a fence is answered.
	mostAnnounced = 1000
	// answerPatience is how long an answer is waited for before another fence is sent, which doubles up to longestPatience: a service
	// that is late or away finds few when it comes to them. The entities are not told of again.
	answerPatience  = 30 * time.Second
	longestPatience = 10 * time.Minute
	// answerPoll is the time between two looks for an answer, answerPause that between two notes of what is waited for.
	answerPoll  = 20 * time.Millisecond
	answerPause = time.Second
	// mostFences is how many fences of a part may be answered still.
	mostFences = 16
)

// Announce implements mirror.Announcer: ids go into the ledger, and a fence behind them, which the service answers once it has
// applied them. Its epoch is 0, so that it keeps no write away.
func (a *announcer) Announce(ctx context.Context, job *backfill.Job, waits func(ctx context.Context, note string) error) (last bool, err error) {
	entity := protoreflect.FullName(job.Name)
	known, told := a.project.entitiesOf(a.service)[entity]
	if !told {
		return false, &mirror.UnreadableError{What: fmt.Sprintf("the service %s is not told of %s by the config of the process that leads its stream", a.service, entity), Fix: "run all processes with the same config"}
	}
	began := time.Now()
	capability, epoch, err := a.epoch(ctx, entity)
	if err != nil {
		return false, err
	}
	if job.Total == 0 {
		job.Total = a.count(ctx, known.Event)
	}
	limit := mostAnnounced
	if job.Rate > 0 {
		limit = min(limit, int(job.Rate))
	}
	ids, err := a.backend.List(ctx, known.Event, job.Reached, limit)
	if err != nil || len(ids) == 0 {
		return err == nil, err
	}
	if err := a.tell(ctx, control.Announcement{Service: a.service, Capability: capability, Epoch: epoch, Entity: job.Name, IDs: ids}, waits); err != nil {
		return false, err
	}
	job.Reached, job.Done = ids[len(ids)-1], job.Done+uint64(len(ids))
	if job.Rate > 0 {
		sleep(ctx, time.Duration(float64(len(ids))/float64(job.Rate)*float64(time.Second))-time.Since(began))
	}
	return len(ids) < limit, ctx.Err()
}

// epoch gives the capability of an entity and the version of its flag, by which an announcement that comes too late is known. What
// the service may have written itself is not to be told over.
func (a *announcer) epoch(ctx context.Context, entity protoreflect.FullName) (capability string, epoch uint64, err error) {
	c := a.project.capabilityOf(a.service, entity)
	if c == nil {
		return "", 0, nil
	}
	records, err := a.control.Records(ctx)
	if err != nil {
		return "", 0, err
	}
	i := slices.IndexFunc(records, func(r control.Record) bool { return r.Capability == c.name })
	switch {
	case i < 0: // no replica has begun with it, and nothing is the service's own
		return c.name, 0, nil
	case control.MayBeModern(records[i]):
		return "", 0, &mirror.UnreadableError{
			What: fmt.Sprintf("keys of the capability %s are at live, or may soon be: what legacy has would be told over what the service has written since", c.name),
			Fix:  "go back first with banyan rollback " + c.name + ", then ask again",
		}
	}
	return c.name, records[i].Flag.Version, nil
}

// tell announces entities, and waits until the service has applied them.
func (a *announcer) tell(ctx context.Context, what control.Announcement, waits func(ctx context.Context, note string) error) error {
	if a.answers.Queue() == "" {
		return errors.New("there is no connection to the broker by which the service answers fences")
	}
	if err := a.ledger.Announce(ctx, what); err != nil {
		return fmt.Errorf("announce entities: %w", err)
	}
	f := &fencing{announcer: a, what: what, patience: answerPatience, began: time.Now()}
	for noted := time.Now(); ; {
		if done, err := f.look(ctx); done || err != nil {
			return err
		}
		if now := time.Now(); now.Sub(noted) >= answerPause {
			if err := waits(ctx, f.note()); err != nil {
				return err
			}
			noted = now
		}
		sleep(ctx, answerPoll)
	}
}

// fencing waits for a service to have applied what it was told: any fence behind that may say so.
type fencing struct {
	*announcer
	what     control.Announcement
	queue    string   // that the fences' answers come to
	fences   []string // that may be answered
	again    time.Time
	patience time.Duration
	began    time.Time
	trouble  string // with the last fence
}

func (f *fencing) look(ctx context.Context) (done bool, err error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if queue := f.answers.Queue(); queue != f.queue { // what is answered to the one before is lost
		f.queue, f.fences, f.again = queue, nil, time.Time{}
	}
	for i := 0; i < len(f.fences); i++ {
		answer, ok := f.answers.Take(f.fences[i])
		switch {
		case ok && answer.Error == "":
			return true, nil
		case ok:
			f.trouble = "the service answers a fence: " + answer.Error
			f.fences = slices.Delete(f.fences, i, i+1)
			i--
		}
	}
	now := time.Now()
	if f.queue == "" || now.Before(f.again) {
		return false, nil
	}
	fence := uuid.NewString()
	if err := f.ledger.SendFence(ctx, control.FenceRow{ID: fence, Service: f.what.Service, Capability: f.what.Capability, ReplyTo: f.queue}); err != nil {
		f.trouble, f.again = "send a fence: "+err.Error(), now.Add(answerPause)
		return false, nil //nolint:nilerr // it is told, and tried again
	}
	if len(f.fences) == mostFences {
		f.fences = slices.Delete(f.fences, 1, 2) // the first is answered first
	}
	f.fences = append(f.fences, fence)
	f.again, f.patience = now.Add(f.patience), min(2*f.patience, longestPatience)
	return false, nil
}

// note says what is waited for.
func (f *fencing) note() string {
	note := fmt.Sprintf("waits: the service %s has not applied what it was told %s ago", f.what.Service, time.Since(f.began).Round(time.Second))
	if f.trouble != "" {
		note += " (" + f.trouble + ")"
	}
	return note
}

// count gives about how many entities there are; 0 when that is not known.
func (a *announcer) count(ctx context.Context, event *legacy.Event) uint64 {
	root := event.Tables[0]
	rows, err := askRows(ctx, a.conns, "SELECT CAST(TABLE_ROWS AS CHAR) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
		[]driver.Value{cmp.Or(root.Schema, newScope(a.project.Config).schema), root.Table})
	if err != nil || len(rows) == 0 {
		return 0 // it is for people only
	}
	n, err := strconv.ParseUint(rows[0][0], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
