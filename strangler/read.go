package strangler

import (
	"context"
	"errors"
	"log/slog"

	"banyan.dev/banyan/flags"
)

// read has a read, or a write that is only validated, answered by the side that the stage says. Without a decision that is
// legacy, which has every acknowledged write before complete.
func (r *Router) read(ctx context.Context, m *member, call *Call, send func(*Reply) error) error {
	key, err := m.key(ctx, call)
	if err != nil {
		return err
	}
	d, err := r.decide(ctx, m.managed, key)
	if err == nil {
		err = r.owned(ctx, m, call, key, d.Stage)
	}
	var want *undecided
	switch {
	case errors.As(err, &want):
		r.undecidedLog.warn("a capability's flag can't be read: its reads are answered by legacy", slog.String("capability", m.Name), slog.Any("error", err))
		return r.opts.Legacy.Call(ctx, call, send)
	case err != nil:
		return err
	}
	stage := stages[d.Stage]
	switch {
	case stage.reads == readModern, stage.reads == readAsDecided && d.Reads == flags.Modern:
		return m.Modern.Call(ctx, call, send)
	case stage.compared && call.Operation.Read && !call.Operation.ServerStreaming:
		return m.shadow.answer(ctx, r.opts.Legacy, call, send)
	default:
		return r.opts.Legacy.Call(ctx, call, send)
	}
}
