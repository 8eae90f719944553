package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// join joins, until that succeeds or ctx ends.
func (a *Agent) join(ctx context.Context) error {
	for {
		err := a.tryJoin(ctx)
		if err == nil {
			a.told(ctx, nil)
			return nil
		}
		a.told(ctx, err)
		patience := a.patience()
		if lacks := (*LacksError)(nil); errors.As(err, &lacks) {
			a.retire(ctx)
			if !a.joined {
				return err
			}
			patience = a.options.Lease // only a command can change that
		}
		if a.pause(ctx, patience); ctx.Err() != nil {
			return fmt.Errorf("join the replicas: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// tryJoin joins in the one order that is safe. Writes that were decided before are over when new marks are made, which
// would let them through; the replica is there, and waited for, before it reads flags; and it has all flags as they are
// before it has a lease, and writes by its new marks: those may be taken away again until then.
func (a *Agent) tryJoin(ctx context.Context) error {
	o := a.options
	if err := a.drain(ctx); err != nil {
		return err
	}
	use := func() {}
	if o.Rejoin != nil {
		limited, cancel := context.WithTimeout(ctx, 2*o.Lease)
		defer cancel()
		var err error
		if use, err = o.Rejoin(limited); err != nil {
			return fmt.Errorf("make the writer marks: %w", err)
		}
	}
	limited, cancel := context.WithTimeout(ctx, o.Lease/2)
	defer cancel()
	if err := o.Membership.Join(limited, Joining{Replica: o.Replica, Address: o.Address}); err != nil {
		return err
	}
	a.listed = true
	began := time.Now()
	news, err := a.ask(ctx, Report{Replica: o.Replica, Renew: true})
	if err != nil {
		return err
	}
	if stale := a.take(news); len(stale) > 0 {
		// Others have gone on without this replica, and it can't follow.
		return fmt.Errorf("the flags of %s can't be taken over, and the ones before may be overtaken: run the same version of Banyan everywhere, or shift again", strings.Join(stale, ", "))
	}
	if err := a.amiss(); err != nil {
		return err
	}
	if err := a.overtook(); err != nil {
		_, unsaid := a.ask(ctx, Report{Replica: o.Replica, Renew: true, Acks: a.acks()}) // by which it is found out
		return errors.Join(err, unsaid)
	}
	use()
	a.sent, a.renewed, a.joined = map[string]Ack{}, began, true
	a.lease(began.Add(o.Lease))
	return nil
}

// drain ends the lease and waits for writes that are on their way. None begins without a lease.
func (a *Agent) drain(ctx context.Context) error {
	a.lease(time.Time{})
	began, said := time.Now(), false
	for !a.drained() {
		if !said && time.Since(began) > a.options.Lease {
			said = true
			a.options.Logger.Warn("this replica waits for writes that are still on their way", "replica", a.options.Replica)
		}
		a.pause(ctx, a.options.Poll)
		if ctx.Err() != nil {
			return errors.New("writes that are on their way have not ended")
		}
	}
	return nil
}

// leave ends the lease and takes the replica away.
func (a *Agent) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, a.options.Lease)
	defer cancel()
	err := a.drain(ctx)
	if err == nil {
		err = a.options.Membership.Leave(ctx, a.options.Replica)
	}
	if err != nil {
		a.options.Logger.Warn("this replica could not leave: a shift waits until it has been silent for a lease", "replica", a.options.Replica, "error", err)
	}
}

// markWatch looks for the writer marks beside the loop, since they are on the legacy's server, which may be slow when the
// control store is not.
type markWatch struct {
	// made counts how often marks were made; missed is the last count of which they were missing.
	made, missed atomic.Int64
	stop         func()
}

// watchMarks begins to look.
func (a *Agent) watchMarks(ctx context.Context) *markWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := &markWatch{}
	w.made.Store(1)
	var looking sync.WaitGroup
	w.stop = func() {
		cancel()
		looking.Wait()
	}
	if a.options.Registered == nil {
		return w
	}
	looking.Go(func() {
		for a.pause(ctx, a.options.Renew); ctx.Err() == nil; a.pause(ctx, a.options.Renew) {
			made := w.made.Load()
			// What is wrong with the legacy itself is told by whoever needs it.
			if there, err := a.lookForMarks(ctx); err == nil && !there {
				w.missed.Store(made)
			}
		}
	})
	return w
}

func (a *Agent) lookForMarks(ctx context.Context) (there bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.options.Lease)
	defer cancel()
	return a.options.Registered(ctx)
}

// missing says whether the marks were missing that were made last.
func (w *markWatch) missing() bool { return w.missed.Load() == w.made.Load() }

// anew says that there are new marks.
func (w *markWatch) anew() { w.made.Add(1) }
