package app

import (
	"context"
	"time"

	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/strangler"
)

// keepsKeys says whether this process keeps idempotency keys: it serves writes, and was not told otherwise.
func (a *App) keepsKeys() bool {
	return a.facade() && a.project.keepsKeys()
}

func (p *Project) keepsKeys() bool {
	if !p.Config.Idempotency.Enabled || p.Contract == nil || p.Program == nil {
		return false
	}
	for _, op := range p.Contract.Operations() {
		if !op.Read && p.Program.Serves(op.Name) {
			return true
		}
	}
	return false
}

func keys(cfg *config.Config) *legacy.Keys {
	return legacy.NewKeys(legacy.KeyOptions{Schema: cfg.Ledger.Schema.String(), Keep: cfg.Idempotency.Keep, MaxReply: int(cfg.Idempotency.MaxReplyBytes)})
}

// refusesKeys says why a write can't keep a key; "" where it can.
func (a *App) refusesKeys(call *strangler.Call) string {
	switch {
	case !a.project.Config.Idempotency.Enabled:
		return "idempotency keys are turned off here"
	case call.Operation.ServerStreaming:
		return "it answers by a stream"
	case a.project.Program.Sticky(call.Operation.Name):
		return "it changes tables whose engine has no transactions"
	}
	return ""
}

// sweepKeysEvery is the time between two looks for keys that have expired.
const sweepKeysEvery = time.Minute

// unkept notes which writes can't keep keys, or undo what they only validate. The program has to be verified.
func (p *Project) unkept() (faults fault.List) {
	if p.Contract == nil || p.Program == nil {
		return faults
	}
	for _, op := range p.Contract.Operations() {
		if op.ValidateOnly != nil && p.Program.Sticky(op.Name) {
			faults.Warn(op.Pos, "let the tables that it changes be InnoDB, or take validate_only out of its request",
				"%s refuses validate_only, since it changes tables whose engine has no transactions", op.Name)
		}
		if p.keepsKeys() && !op.Read && p.Program.Sticky(op.Name) {
			faults.Note(op.Pos, "let the tables that it changes be InnoDB", "%s refuses an Idempotency-Key, since it changes tables whose engine has no transactions", op.Name)
		}
	}
	return faults
}

// sweepKeys deletes keys that have expired, until ctx ends.
func (a *App) sweepKeys(ctx context.Context, backend *legacy.Backend) {
	if !a.keepsKeys() {
		return
	}
	tick := time.NewTicker(sweepKeysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch n, err := backend.SweepKeys(ctx); {
		case err != nil && ctx.Err() == nil:
			a.opts.Logger.Warn("expired idempotency keys could not be swept from the ledger", "cause", err)
		case n > 0:
			a.opts.Logger.Debug("swept idempotency keys from the ledger", "rows", n)
		}
	}
}
