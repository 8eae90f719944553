package control_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
)

// probed is a ledger whose fences are answered, and what receives the answers.
type probed struct {
	queue  string
	answer func(control.FenceRow) (control.FenceAnswer, bool)
	fail   error

	mu   sync.Mutex
	sent []control.FenceRow
}

func (p *probed) SendFence(_ context.Context, f control.FenceRow) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, f)
	return p.fail
}

func (p *probed) Queue() string            { return p.queue }
func (p *probed) Arrived() <-chan struct{} { return nil }

func (p *probed) Take(fence string) (control.FenceAnswer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.sent, func(f control.FenceRow) bool { return f.ID == fence })
	if i < 0 || p.answer == nil {
		return control.FenceAnswer{}, false
	}
	return p.answer(p.sent[i])
}

func TestFencesAreTimed(t *testing.T) {
	began := time.Now()
	p := &probed{queue: "answers", answer: func(control.FenceRow) (control.FenceAnswer, bool) {
		return control.FenceAnswer{Parked: []string{"7"}, More: true}, time.Since(began) > 20*time.Millisecond
	}}
	f := &control.Fencer{Ledger: p, Answers: p, Services: []string{"orders", "stock"}, Patience: time.Minute}
	got, err := f.Time(t.Context(), "stock")
	if err != nil || got.Service != "stock" || got.Took < 10*time.Millisecond || !slices.Equal(got.Parked, []string{"7"}) || !got.More {
		t.Errorf("got %+v, %v", got, err)
	}
	// It must not keep anybody from writing.
	if s := p.sent[0]; s.Epoch != 0 || s.Capability != "" || s.Service != "stock" || s.ReplyTo != "answers" || s.ID == "" {
		t.Errorf("sent %+v", s)
	}
}

func TestFencesThatCanNotBeTimed(t *testing.T) {
	for name, test := range map[string]struct {
		of      *probed
		service string
		want    codes.Code
		reason  string
	}{
		"no such service": {&probed{queue: "q"}, "nobody", codes.NotFound, "NO_SUCH_SERVICE"},
		"no broker":       {&probed{}, "orders", codes.Unavailable, "NO_ANSWERS"},
		"no ledger":       {&probed{queue: "q", fail: errors.New("gone")}, "orders", codes.Unavailable, "LEDGER_UNAVAILABLE"},
		"no answer":       {&probed{queue: "q"}, "orders", codes.DeadlineExceeded, "FENCE_NOT_ANSWERED"},
		"refused": {&probed{queue: "q", answer: func(control.FenceRow) (control.FenceAnswer, bool) {
			return control.FenceAnswer{Error: "no database"}, true
		}}, "orders", codes.FailedPrecondition, "FENCE_REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &control.Fencer{Ledger: test.of, Answers: test.of, Services: []string{"orders"}, Patience: 20 * time.Millisecond}
			_, err := f.Time(t.Context(), test.service)
			var e *strangler.Error
			if !errors.As(err, &e) || e.Code != test.want || e.Reason != test.reason {
				t.Errorf("got %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	p := &probed{queue: "q"}
	if _, err := (&control.Fencer{Ledger: p, Answers: p, Services: []string{"orders"}, Patience: time.Minute}).Time(ctx, "orders"); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}
