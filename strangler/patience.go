package strangler

import (
	"context"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

// patience bounds how long one write waits before it begins. Each kind of waiting has one budget, which all of the call's
// waits use up together.
type patience struct {
	router *Router
	member *member
	// held and leased are the budgets, once they are begun.
	held, leased context.Context
	stops        []context.CancelFunc
}

// forNewer waits until decisions are made under a version greater than beyond.
func (p *patience) forNewer(ctx context.Context, beyond uint64) error {
	if p.held == nil {
		p.held = p.budget(ctx, p.router.opts.HoldTimeout)
	}
	err := p.router.opts.Waiter.Wait(p.held, p.member.Name, beyond)
	if err == nil {
		err = ctx.Err() // which Wait need not have looked at
	}
	if err != nil {
		return heldTooLong(ctx, err)
	}
	return nil
}

// forDecision waits for what a decision was wanting: a lease, or the flag itself.
func (p *patience) forDecision(ctx context.Context, want *undecided) error {
	if p.leased == nil {
		p.leased = p.budget(ctx, p.router.opts.LeaseTimeout)
	} else if !pause(p.leased, shortPause) { // it came, and was gone again
		return noDecision(ctx, want)
	}
	err := error(want)
	switch want.code {
	case openfeature.ProviderNotReadyCode:
		err = p.router.opts.Waiter.WaitLease(p.leased)
	case openfeature.FlagNotFoundCode:
		err = p.router.opts.Waiter.Wait(p.leased, p.member.Name, 0)
	}
	if err != nil {
		return noDecision(ctx, want)
	}
	return nil
}

func (p *patience) budget(ctx context.Context, limit time.Duration) context.Context {
	bounded, stop := context.WithTimeout(ctx, limit)
	p.stops = append(p.stops, stop)
	return bounded
}

// stop frees the budgets.
func (p *patience) stop() {
	for _, stop := range p.stops {
		stop()
	}
}

// Pauses between tries grow from the one to the other.
const (
	shortPause = 10 * time.Millisecond
	longPause  = 500 * time.Millisecond
)

// pause waits; it gives false at once when ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
