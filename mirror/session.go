package mirror

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// session is one leader's reading and sending, from a saved position until something fails.
type session struct {
	m      *Mirror
	o      *Options
	term   Term
	feed   change.Feed
	stream change.Stream

	encoder encoder
	events  handler
	marks   marks

	// sending is held for each message: live ones and those of backfills take turns. What follows is under it.
	sending sync.Mutex
	sent    uint64
	at      change.Position // behind the last transaction that was read
	filled  *filled         // the table that is being sent; nil: none
	swept   change.Version  // of the last change of many rows at once, in any table
	saving  sync.Mutex
	saved   change.Position // under saving, once it runs
}

// saveTimeout bounds one save, so that a server that hangs is noticed.
const saveTimeout = 5 * time.Second

// send sends from the term's position on until ctx ends, leadership is lost or something fails.
func (m *Mirror) send(ctx context.Context, term Term) error {
	s := &session{m: m, o: &m.o, term: term}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := closing(ctx, term.Lost(), func() { cancel(ErrDeposed) })
	defer stop()
	if err := s.open(ctx); err != nil {
		s.close()
		return causeOf(ctx, err)
	}
	err := s.run(ctx, cancel)
	return s.finish(ctx, err)
}

// open gets everything ready, in the order in which nothing is missed: what takes events, then what gives them.
func (s *session) open(ctx context.Context) error {
	state := s.term.State()
	at := state.Position
	if at.IsZero() {
		tail, err := s.o.Source.Tail(ctx)
		if err != nil {
			return fmt.Errorf("find the end of the log: %w", err)
		}
		if err := s.term.Save(ctx, tail); err != nil {
			return fmt.Errorf("save the first position: %w", err)
		}
		at = tail
		s.o.Logger.Info("the mirror begins at the log's end: what was there before are no events", "position", at.String(), "server", at.Server)
	}
	if s.o.Relations != nil {
		if err := s.o.Relations.Refresh(ctx); err != nil {
			return fmt.Errorf("read the foreign keys: %w", err)
		}
	}
	var err error
	if s.feed, err = s.o.Sink.Open(ctx); err != nil {
		return fmt.Errorf("open the broker: %w", err)
	}
	if s.stream, err = s.o.Source.Open(ctx, at); err != nil {
		return fmt.Errorf("open the log at %s: %w", at, err)
	}
	if server := s.stream.Server(); server != at.Server {
		// Until a position in the new log is saved, every opening is to raise the epoch again, also one at the old server.
		left := at
		left.Server = "none, on the way to " + server
		if state.Epoch, err = s.term.NewEpoch(ctx, left); err != nil {
			return fmt.Errorf("save the new epoch: %w", err)
		}
		s.o.Logger.Warn("the log is another server's now: the mirror goes on from its GTIDs in a new epoch", "server", server, "before", at.Server, "epoch", state.Epoch)
	}
	if state.Epoch > change.MaxEpoch {
		return &change.StopError{What: fmt.Sprintf("the epoch %d is more than versions have room for", state.Epoch), Fix: "give the mirror another mirror.name, and its consumers a backfill"}
	}
	s.saved, s.at = at, at
	s.encoder = encoder{source: "/mirrors/" + s.o.Name, term: strconv.FormatUint(state.Term, 10), epoch: state.Epoch, plans: plans{omit: s.o.Omit}}
	if s.events = s.rowEvents(); s.o.Service != nil {
		s.events = newServiceEvents(s)
	}
	s.m.watch.leading(state, at)
	s.o.Logger.Info("the mirror leads", "position", at.String(), "epoch", state.Epoch, "term", state.Term)
	return nil
}

// run reads and sends, saves and beats, until one of them fails. All have ended when it returns.
func (s *session) run(ctx context.Context, cancel context.CancelCauseFunc) error {
	stop := closing(ctx, s.feed.Failed(), func() { cancel(errFeedFailed) })
	defer stop()
	var beside sync.WaitGroup
	beside.Go(func() {
		if err := s.save(ctx); err != nil {
			cancel(err)
		}
	})
	beside.Go(func() {
		if err := s.beat(ctx); err != nil {
			cancel(err)
		}
	})
	beside.Go(func() {
		if err := s.events.run(ctx); err != nil {
			cancel(err)
		}
	})
	if s.o.Fills != nil {
		beside.Go(func() {
			if err := s.fill(ctx); err != nil {
				cancel(err)
			}
		})
	}
	err := s.read(ctx)
	cancel(err)
	beside.Wait()
	if errors.Is(context.Cause(ctx), errFeedFailed) {
		return s.feed.Flush(context.WithoutCancel(ctx)) // says why, at once
	}
	return causeOf(ctx, err)
}

var errFeedFailed = errors.New("the connection to the broker has failed")

// finish saves what is safe, after a short wait for confirms when the mirror was told to end.
func (s *session) finish(ctx context.Context, err error) error {
	defer s.close()
	ending := context.WithoutCancel(ctx)
	if told := errors.Is(err, context.Canceled); told {
		flushing, cancel := context.WithTimeout(ending, s.o.DrainTimeout)
		defer cancel()
		if flushErr := s.feed.Flush(flushing); flushErr != nil {
			s.o.Logger.Warn("not all events were confirmed: they will be sent again", "cause", flushErr)
		}
	}
	s.m.watch.feedStatus(s.feed.Status()) // what was returned just now, above all
	if errors.Is(err, ErrDeposed) {
		return err
	}
	return errors.Join(err, s.saveConfirmed(ending))
}

func (s *session) close() {
	if s.stream != nil {
		_ = s.stream.Close() // what it has read is given up
	}
	if s.feed != nil {
		_ = s.feed.Close() // what is not confirmed is sent again
	}
}

// save saves the position of what is confirmed, again and again.
func (s *session) save(ctx context.Context) error {
	tick := time.NewTicker(s.o.SaveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.saveConfirmed(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (s *session) saveConfirmed(ctx context.Context) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	at, ok := s.marks.confirmed(s.feed.Confirmed())
	if !ok || at == s.saved {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := s.term.Save(ctx, at); err != nil {
		return fmt.Errorf("save the position: %w", err)
	}
	s.saved = at
	s.m.watch.savedAt(at)
	return nil
}

// errMoved says that the legacy's address leads to another server than the one that is read: a failover that the old
// server has outlived.
var errMoved = errors.New("the legacy's address leads to another server now than the one that is read")

// beat makes heartbeats, and measures how far behind the reading is. It ends with ctx, or with errMoved.
func (s *session) beat(ctx context.Context) error {
	tick := time.NewTicker(s.o.BeatEvery)
	defer tick.Stop()
	for {
		if s.o.Heart != nil {
			sent := time.Now()
			beat, err := s.o.Heart.Beat(ctx)
			if err == nil {
				s.m.watch.beatSent(beat, sent)
			} else if ctx.Err() == nil {
				s.m.watch.beatMissed()
				s.o.Logger.Warn("no heartbeat could be written: the lag is not known", "cause", err)
			}
		}
		at := s.m.watch.position()
		behind, err := s.o.Source.Behind(ctx, at)
		switch {
		case err == nil:
			s.m.watch.behindBy(&behind)
		case ctx.Err() != nil:
		case errors.Is(err, change.ErrServers) && at.Server == s.stream.Server():
			return errMoved
		default:
			s.m.watch.behindBy(nil)
			s.o.Logger.Debug("how far the log has gone on is not known", "cause", err)
		}
		s.m.watch.feedStatus(s.feed.Status())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// closing calls f when a channel is closed before ctx ends. The function it gives waits for it to have ended.
func closing(ctx context.Context, closed <-chan struct{}, f func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		select {
		case <-closed:
			f()
		case <-ctx.Done():
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// causeOf gives why ctx ended, where that is more than what came of it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); ctx.Err() != nil && cause != nil {
		return cause
	}
	return err
}
