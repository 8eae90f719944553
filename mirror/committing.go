package mirror

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// MariaDB has XA COMMIT in its log, and lets others see that place of it, before its engine commits. So a snapshot may be behind
// the place, and lack the transaction. What else commits is in the log and in the engine in one order, which a snapshot keeps to.
//
// Where entities were changed by XA transactions, these are waited for before a snapshot is begun, in which the entities are read.
// What a snapshot lacks besides does not matter: it changes no entity, or the log of it has not come yet, and it is waited for then.

const (
	// firstLook and mostLook bound the pauses between two looks at XA transactions that are being committed.
	firstLook = time.Millisecond
	mostLook  = 100 * time.Millisecond
	// mostCommitting is how long that takes until it is told.
	mostCommitting = 10 * time.Second
)

// committed waits until legacy's engine has committed what is taken, too. It asks nothing where no XA transaction is.
func (p *pump) committed(ctx context.Context, at change.Position, taken []work) error {
	var xa []string
	for _, w := range taken {
		if w.xa != "" && !slices.Contains(xa, w.xa) {
			xa = append(xa, w.xa)
		}
	}
	until := time.Now().Add(mostCommitting)
	for between := firstLook; len(xa) > 0; between = min(2*between, mostLook) {
		var err error
		if xa, err = p.s.o.Service.Entities.Committing(ctx, at, xa); err != nil {
			return fmt.Errorf("see which XA transactions are being committed: %w", err)
		}
		if xa = p.older(xa); len(xa) == 0 {
			break
		}
		if time.Now().After(until) {
			return &change.StopError{
				What: fmt.Sprintf("XA transactions are committed in the log and still prepared in legacy, so that what they have changed can't be read; as global.branch.format in hex: %s", strings.Join(xa, ", ")),
				Fix:  "XA RECOVER shows them: if that lasts, XA COMMIT them, or XA ROLLBACK those that were prepared anew under names of before; it then goes on by itself",
			}
		}
		if wait(ctx, between); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// older leaves those out whose names are known to be of younger transactions by now. They can't be prepared before those of before,
// which have the name in the engine, are committed there.
func (p *pump) older(xa []string) []string {
	p.mu.Lock()
	undecided := p.undecided
	p.mu.Unlock()
	if undecided == "" {
		return xa
	}
	younger := strings.Fields(undecided)
	return slices.DeleteFunc(xa, func(name string) bool { return slices.Contains(younger, name) })
}
