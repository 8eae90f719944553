package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"banyan.dev/banyan/internal/chaos/replica"
)

func newMutexes(n int) []sync.Mutex { return make([]sync.Mutex, n) }

// watch hands events to the consumer, and tells who waits that a table was made.
type watch struct {
	consumer *replica.Consumer
	dirty    bool // there is something to flush

	mu    sync.Mutex
	made  map[string]bool
	news  chan struct{} // closed when made grows, or the reading ends
	ended error
}

var (
	errNotYet = errors.New("the event has not arrived")
	errEnded  = errors.New("the reading was ended")
)

// startConsumer reads the history until the run ends.
func (r *run) startConsumer(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	r.watch = &watch{consumer: r.consumer, made: map[string]bool{}, news: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := &tail{url: r.broker.URL(""), stream: "banyan.history", log: r.log}
		err := t.run(ctx, r.watch)
		if err == nil {
			err = errEnded
		}
		r.watch.end(err)
	}()
	r.stopReading = func() {
		cancel()
		<-done
	}
	r.stops = append(r.stops, func(context.Context) error {
		r.stopReading()
		return nil
	})
}

func (w *watch) receive(ctx context.Context, key string, d *replica.Delivery) error {
	w.dirty = true
	ctx = context.WithoutCancel(ctx) // the end of the reading is no end of what was read
	if err := w.consumer.Apply(ctx, d); err != nil {
		return err
	}
	if table, ok := created(key); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.made[table] = true
		close(w.news)
		w.news = make(chan struct{})
	}
	return nil
}

func (w *watch) idle(ctx context.Context) error {
	if !w.dirty {
		return nil
	}
	w.dirty = false
	return w.consumer.Flush(context.WithoutCancel(ctx))
}

func (w *watch) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = err
	close(w.news)
}

// err is why the reading ended, if it was not told to.
func (w *watch) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(w.ended, errEnded) {
		return nil
	}
	return w.ended
}

// wait waits until the event of a table's creation has arrived. It is errNotYet when it hasn't in time.
func (w *watch) wait(ctx context.Context, table string, most time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, most, errNotYet)
	defer cancel()
	for {
		w.mu.Lock()
		made, news, ended := w.made[table], w.news, w.ended
		w.mu.Unlock()
		switch {
		case made:
			return nil
		case ended != nil:
			return fmt.Errorf("wait for the event of %s: %w", table, ended)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the event of %s: %w", table, context.Cause(ctx))
		case <-news:
		}
	}
}
