package app

import (
	"context"
	"fmt"
	"time"

	"banyan.dev/banyan/adapters/store"
)

// newWriter gives this process's writer marks, by which the mirror tells its transactions from others; nil where there is
// no mirror, or no facade that writes. Nothing is connected yet.
func (a *App) newWriter() (*store.Writer, error) {
	cfg := a.project.Config
	if !cfg.MirrorOn() || !a.facade() {
		return nil, nil
	}
	// The mark of a connection that was lost may stay locked for a while, hence more marks than connections.
	return store.NewWriter(storeOptions(cfg, a.opts.Logger), "", 2*cfg.Legacy.Pool.MaxOpen)
}

// openLedger makes sure of Banyan's own tables where something needs them, and puts this process's marks into them.
func (a *App) openLedger(ctx context.Context, marks *store.Writer) error {
	if !a.project.Config.MirrorOn() && !a.keepsKeys() && !a.countsCallers() {
		return nil
	}
	if err := migrated(ctx, a.project.Config, storeOptions(a.project.Config, a.opts.Logger)); err != nil {
		return err
	}
	if marks == nil {
		return nil
	}
	if err := marks.Register(ctx); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// deregisterTimeout bounds taking the marks away. Marks that stay are swept one day.
const deregisterTimeout = 5 * time.Second

// closeLedger takes the marks away, once all calls have ended.
func (a *App) closeLedger(ctx context.Context, marks *store.Writer) {
	if marks == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deregisterTimeout)
	defer cancel()
	if err := marks.Deregister(ctx); err != nil {
		a.opts.Logger.Warn("this process's writer marks stay in the ledger, where they do no harm", "cause", err)
	}
}
