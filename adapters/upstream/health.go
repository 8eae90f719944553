package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const (
	// fresh is how long what is known of a service's health counts.
	fresh = time.Second
	// patience is how long Healthy waits for news where it has something older to tell.
	patience = 250 * time.Millisecond
)

// health knows whether the service answers. It asks when it is asked, one question at a time.
type health struct {
	conn    *grpc.ClientConn
	timeout time.Duration
	logger  *slog.Logger

	life    context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	asking chan struct{} // closed when the question under way is answered; nil when there is none
	last   *verdict
}

// verdict is an answer; why is empty when the service is well.
type verdict struct {
	why string
	at  time.Time
}

func newHealth(o Options, conn *grpc.ClientConn) *health {
	life, stop := context.WithCancel(context.Background())
	return &health{
		conn: conn, timeout: o.ConnectTimeout, life: life, stop: stop,
		logger: o.Logger.With(slog.String("service", o.Service), slog.String("target", o.Target)),
	}
}

// close ends what is asked, and waits for it.
func (h *health) close() {
	h.mu.Lock()
	h.stop()
	h.mu.Unlock()
	h.running.Wait()
}

// Healthy says whether the service can be called, at one of its addresses at least, and if not, why. It connects where
// there is no connection, and asks the service's own health where it tells that. What it gives is a second old at most,
// unless the service takes long to answer: then it is what was known before. It waits for ConnectTimeout at most.
func (u *Upstream) Healthy() (ok bool, why string) {
	v := u.health.look()
	return v.why == "", v.why
}

func (h *health) look() verdict {
	h.mu.Lock()
	last := h.last
	if last != nil && time.Since(last.at) < fresh || h.life.Err() != nil {
		h.mu.Unlock()
		if h.life.Err() != nil {
			return verdict{why: "the connections to it are closed"}
		}
		return *last
	}
	answered := h.asking
	if answered == nil {
		answered = make(chan struct{})
		h.asking = answered
		h.running.Go(func() { h.ask(answered) })
	}
	h.mu.Unlock()

	var enough <-chan time.Time
	if last != nil {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-answered:
	case <-enough:
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return *h.last
}

// ask asks once, and keeps the answer.
func (h *health) ask(answered chan struct{}) {
	v := verdict{why: h.question(), at: time.Now()}
	h.mu.Lock()
	last := h.last
	h.last, h.asking = &v, nil
	h.mu.Unlock()
	close(answered)
	switch {
	case h.life.Err() != nil:
	case v.why != "" && (last == nil || last.why == ""):
		h.logger.Warn("a service can't be called", slog.String("why", v.why))
	case v.why == "" && (last == nil || last.why != ""):
		h.logger.Info("a service can be called")
	}
}

// question asks for the health of the service as a whole. A service that answers anything is there; gRPC tells why it
// can't be reached.
func (h *health) question() (why string) {
	ctx, cancel := context.WithTimeout(h.life, h.timeout)
	defer cancel()
	ctx, heard := listen(ctx)
	reply, err := grpc_health_v1.NewHealthClient(h.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	switch {
	case err == nil && reply.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING:
		return "it says that it is " + reply.GetStatus().String()
	case err == nil:
		return ""
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || statusOf(err).Code() == codes.DeadlineExceeded:
		return fmt.Sprintf("it has not answered within %s: %s", h.timeout, statusOf(err).Message())
	case heard.trailers.Load() && statusOf(err).Code() != codes.Unavailable:
		return ""
	default:
		return statusOf(err).Message()
	}
}
