package health

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"banyan.dev/banyan/strangler"
)

// Part is something that calls depend on.
type Part struct {
	Name string
	// Ask gives nil when the part can do its work. It is not called concurrently.
	Ask func(ctx context.Context) error
}

// Options set up a Health. All have to be given.
type Options struct {
	// Fresh is how long an answer is used again.
	Fresh time.Duration
	// Timeout bounds asking one part.
	Timeout time.Duration
	// Logger is told when readiness changes, with the cause, which probes don't show.
	Logger *slog.Logger
}

// Report is what a readiness probe is told.
type Report struct {
	Ready bool `json:"ready"`
	// Parts says of each part "ok", or what is wrong in words that strangers may read.
	Parts map[string]string `json:"parts"`
}

// Health knows whether this process is ready. It is safe for concurrent use.
type Health struct {
	parts    []Part
	opts     Options
	draining atomic.Bool

	mu     sync.Mutex
	last   Report
	asked  time.Time
	asking chan struct{} // closed when the parts that are being asked have answered; nil when none is
}

// New makes a Health of parts, in the order that they are asked.
func New(parts []Part, opts Options) *Health { return &Health{parts: parts, opts: opts} }

// Drain makes the process unready for good.
func (h *Health) Drain() {
	if !h.draining.Swap(true) {
		h.opts.Logger.Info("not ready any more: stopping")
	}
}

// Ready asks the parts, or gives the last answer while it is fresh.
func (h *Health) Ready() Report {
	h.mu.Lock()
	for !h.draining.Load() && (h.asked.IsZero() || time.Since(h.asked) > h.opts.Fresh) {
		if asking := h.asking; asking != nil {
			h.mu.Unlock()
			<-asking
			h.mu.Lock()
			continue
		}
		h.renew()
	}
	defer h.mu.Unlock()
	return h.withDrain(h.last)
}

// renew asks the parts, with mu held before and after but not meanwhile.
func (h *Health) renew() {
	done := make(chan struct{})
	h.asking = done
	h.mu.Unlock()
	r := h.ask()
	h.mu.Lock()
	if r.Ready && (h.asked.IsZero() || !h.last.Ready) {
		h.opts.Logger.Info("ready")
	}
	h.last, h.asked, h.asking = r, time.Now(), nil
	close(done)
}

func (h *Health) withDrain(r Report) Report {
	if !h.draining.Load() {
		return r
	}
	return Report{Parts: map[string]string{"process": "stopping"}}
}

// ask asks every part. Probes share the answer, so that it doesn't depend on the patience of the one that came first.
func (h *Health) ask() Report {
	r := Report{Ready: true, Parts: make(map[string]string, len(h.parts))}
	for _, p := range h.parts {
		ctx, cancel := context.WithTimeout(context.Background(), h.opts.Timeout)
		err := p.Ask(ctx)
		cancel()
		if err == nil {
			r.Parts[p.Name] = "ok"
			continue
		}
		r.Ready = false
		r.Parts[p.Name] = strangler.AsError(err).Message
		if h.last.Parts[p.Name] != r.Parts[p.Name] { // a part that stays down is news once
			h.opts.Logger.Warn("not ready", "part", p.Name, "cause", err)
		}
	}
	return r
}
