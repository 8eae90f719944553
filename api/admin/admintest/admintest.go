// Package admintest has an Operator that does what a test says, and an admin API that stands on it.
package admintest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/admin"
	"banyan.dev/banyan/api/health"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/backfill"
	"banyan.dev/banyan/strangler/control"
	"banyan.dev/banyan/strangler/retirement"
)

// Operator has what its fields say. It is safe for concurrent use, but for a change of its fields.
type Operator struct {
	Capabilities []control.CapabilityStatus
	Audits       []control.Audit
	Live         []strangler.Write
	// Reports are of versions; nil: the process serves none.
	Reports []retirement.Report
	// Fence answers fences; nil: no service has a stream.
	Fence func(ctx context.Context, service string) (control.FenceTime, error)
	// Jobs are backfills; nil: the process runs no mirror. Each look at one takes it on, in steps of its total's third.
	Jobs []backfill.Job
	// Command answers Advance and Rollback.
	Command func(ctx context.Context, rollback bool, c control.Change) (control.Outcome, error)

	mu       sync.Mutex
	asked    []backfill.Request
	commands []control.Change
	limits   []int
}

// Status gives those of Capabilities that are asked for.
func (o *Operator) Status(_ context.Context, capability string) ([]control.CapabilityStatus, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if capability == "" {
		return slices.Clone(o.Capabilities), nil
	}
	for _, c := range o.Capabilities {
		if c.Capability == capability {
			return []control.CapabilityStatus{c}, nil
		}
	}
	return nil, strangler.Fail(codes.NotFound, "NO_SUCH_CAPABILITY", "there is no capability %q; `banyan status` lists them", capability)
}

// Set replaces the status of the one capability there is.
func (o *Operator) Set(change func(*control.CapabilityStatus)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.Capabilities[0])
}

// Advance asks Command.
func (o *Operator) Advance(ctx context.Context, c control.Change) (control.Outcome, error) {
	return o.command(ctx, false, c)
}

// Rollback asks Command.
func (o *Operator) Rollback(ctx context.Context, c control.Change) (control.Outcome, error) {
	return o.command(ctx, true, c)
}

func (o *Operator) command(ctx context.Context, rollback bool, c control.Change) (control.Outcome, error) {
	o.mu.Lock()
	o.commands = append(o.commands, c)
	o.mu.Unlock()
	return o.Command(ctx, rollback, c)
}

// History gives Audits.
func (o *Operator) History(_ context.Context, capability string, limit int) ([]control.Audit, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limits = append(o.limits, limit)
	all := slices.DeleteFunc(slices.Clone(o.Audits), func(a control.Audit) bool { return capability != "" && a.Capability != capability })
	return all[:min(limit, len(all))], nil
}

// Writes gives Live.
func (o *Operator) Writes(_ context.Context, capability string, state strangler.WriteState, limit int) ([]strangler.Write, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limits = append(o.limits, limit)
	all := slices.DeleteFunc(slices.Clone(o.Live), func(w strangler.Write) bool {
		return capability != "" && w.Capability != capability || state != "" && w.State != state
	})
	return all[:min(limit, len(all))], nil
}

// Report gives Reports, with at most limit callers.
func (o *Operator) Report(_ context.Context, days, limit int) (all []retirement.Report, more bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limits = append(o.limits, days, limit)
	for _, r := range o.Reports {
		more = more || len(r.Callers) > limit
		r.Callers = r.Callers[:min(limit, len(r.Callers))]
		all = append(all, r)
	}
	return all, more, nil
}

// backfills are those of an Operator.
type backfills struct{ *Operator }

// Start keeps a job for each target. A target named busy is being sent already.
func (b backfills) Start(_ context.Context, r backfill.Request) (started []backfill.Job, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, r)
	for _, target := range r.Targets {
		if target == "busy" {
			return nil, strangler.Fail(codes.FailedPrecondition, "BACKFILL_RUNNING", "shop.busy is being sent already, by backfill 3")
		}
		j := backfill.Job{
			ID: uint64(len(b.Jobs) + 1), Target: backfill.Target{Mirror: "main", Schema: "shop", Name: target}, State: backfill.Waiting, Total: 1_500_000,
			Rate: r.Rate, MaxLag: r.MaxLag, Who: "ada@laptop", Created: time.Date(2026, 11, 25, 1, 53, 11, 0, time.UTC),
		}
		b.Jobs, started = append(b.Jobs, j), append(started, j)
	}
	return started, nil
}

// List gives the jobs, newest first.
func (b backfills) List(_ context.Context, limit int) ([]backfill.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = append(b.limits, limit)
	all := slices.Clone(b.Jobs)
	slices.Reverse(all)
	return all[:min(limit, len(all))], nil
}

// Get gives one, and takes it on. One named broken fails.
func (b backfills) Get(_ context.Context, id uint64) (backfill.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id == 0 || id > uint64(len(b.Jobs)) {
		return backfill.Job{}, strangler.Fail(codes.NotFound, "NO_SUCH_BACKFILL", "there is no backfill %d; `banyan backfill list` lists them", id)
	}
	j := &b.Jobs[id-1]
	told := *j
	switch {
	case j.State.Over():
	case j.Name == "broken":
		j.State, j.Note = backfill.Failed, "shop.broken has no primary key"
	case j.State == backfill.Waiting:
		j.State, j.Began = backfill.Running, j.Created
	case j.Done < j.Total:
		j.Done += j.Total / 3
	default:
		j.State = backfill.Done
	}
	return told, nil
}

// Stop stops one.
func (b backfills) Stop(ctx context.Context, id uint64, who string) (backfill.Job, error) {
	if _, err := b.Get(ctx, id); err != nil {
		return backfill.Job{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if j := &b.Jobs[id-1]; !j.State.Over() {
		j.State, j.Note = backfill.Stopped, "stopped by "+who
	}
	return b.Jobs[id-1], nil
}

// Asked gives which backfills were asked for.
func (o *Operator) Asked() []backfill.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked)
}

// Commands gives what was commanded.
func (o *Operator) Commands() []control.Change {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.commands)
}

// Limits gives the limits of the lists that were asked for.
func (o *Operator) Limits() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.limits)
}

// Serve makes an admin listener over HTTP, whose server would cut off what takes longer than timeout.
func Serve(t testing.TB, o control.Operator, timeout time.Duration) (*httptest.Server, *admin.Handler) {
	t.Helper()
	handler, err := New(o, nil, timeout)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.WriteTimeout = timeout
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(handler.Stop)
	return server, handler
}

// New makes what answers on an admin listener. status is what /status gives, timeout how long a body may take.
func New(o control.Operator, status any, timeout time.Duration) (*admin.Handler, error) {
	logger := slog.New(slog.DiscardHandler)
	var versions admin.Versions
	var fills admin.Backfills
	if o, ok := o.(*Operator); ok && o.Jobs != nil {
		fills = backfills{o}
	}
	if o, ok := o.(*Operator); ok && o.Reports != nil {
		versions = o
	}
	var fences admin.Fences
	if o, ok := o.(*Operator); ok && o.Fence != nil {
		fences = fencer(o.Fence)
	}
	return admin.New(admin.Options{
		Metrics: prometheus.NewRegistry(), Health: health.New(nil, health.Options{Fresh: time.Second, Timeout: time.Second, Logger: logger}),
		Status: func() any { return status }, Operator: o, Versions: versions, Fences: fences, Backfills: fills, Logger: logger, BodyTimeout: timeout, WriteTimeout: time.Minute,
	})
}

// fencer is a function that times fences.
type fencer func(ctx context.Context, service string) (control.FenceTime, error)

// Time implements admin.Fences.
func (f fencer) Time(ctx context.Context, service string) (control.FenceTime, error) {
	return f(ctx, service)
}
