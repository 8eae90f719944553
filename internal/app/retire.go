package app

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/api/admin"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/retirement"
)

// retiring counts who calls what is deprecated, and refuses versions that are gone.
type retiring struct {
	versions []*retirement.Version
	// These are nil where nothing is counted.
	book    *store.Callers
	counter *retirement.Counter

	running sync.WaitGroup
	cancel  context.CancelFunc
}

// retirements gives the contract's versions, with what the config says of their end.
func (p *Project) retirements() (all []*retirement.Version) {
	if p.Contract == nil {
		return nil
	}
	for _, v := range p.Contract.Versions {
		conf := p.Config.Versions[string(v.Package)]
		one := &retirement.Version{
			Package: v.Package, Of: protoreflect.FullName(conf.Of), Deprecated: conf.Deprecated.Time, Sunset: conf.Sunset.Time,
			Link: conf.Link, Refuse: conf.AfterSunset == config.RefuseAfterSunset,
		}
		for _, service := range v.Services {
			for _, op := range service.Operations {
				if p.Program == nil || p.serves(op) {
					one.Operations = append(one.Operations, op)
				}
			}
		}
		all = append(all, one)
	}
	return all
}

// countsCallers says whether there is anything whose callers are counted.
func (p *Project) countsCallers() bool {
	if !p.Config.Callers.Enabled {
		return false
	}
	for _, v := range p.retirements() {
		if len(v.Watched()) > 0 {
			return true
		}
	}
	return false
}

func (a *App) countsCallers() bool { return a.facade() && a.project.countsCallers() }

// openRetiring puts it together. Nothing is connected yet.
func (a *App) openRetiring() (*retiring, error) {
	r := &retiring{versions: a.project.retirements()}
	if !a.countsCallers() {
		return r, nil
	}
	book, err := store.NewCallers(storeOptions(a.project.Config, a.opts.Logger))
	if err != nil {
		return nil, fmt.Errorf("callers: %w", err)
	}
	r.book, r.counter = book, retirement.NewCounter(book, a.opts.Logger)
	return r, nil
}

// guard stands before next.
func (r *retiring) guard(next strangler.Backend) *retirement.Gate {
	return retirement.NewGate(r.versions, r.counter, next)
}

// report tells operators; nil in a process without the facade.
func (a *App) report(r *retiring) admin.Versions {
	if !a.facade() {
		return nil
	}
	reporter := &retirement.Reporter{Versions: r.versions, Counter: r.counter}
	if r.book != nil {
		reporter.Book = r.book
	}
	return reporter
}

// start begins to save what is counted.
func (r *retiring) start(ctx context.Context) {
	if r.counter == nil {
		return
	}
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.running.Go(func() { r.counter.Run(ctx, r.versions) })
}

// stop saves what is left, once all calls have ended.
func (r *retiring) stop() {
	if r.cancel != nil {
		r.cancel()
	}
	r.running.Wait()
}

// close gives up what was opened.
func (r *retiring) close() {
	if r.book != nil {
		_ = r.book.Close() // it is of no more use
	}
}
