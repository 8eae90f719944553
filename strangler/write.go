package strangler

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
)

// write decides a write, as often as it takes, and has it done by whom the stage says.
func (r *Router) write(ctx context.Context, m *member, call *Call, send func(*Reply) error) error {
	key, err := m.key(ctx, call)
	if err != nil {
		return err
	}
	waits := patience{router: r, member: m}
	defer waits.stop()
	for {
		next, err := r.attempt(ctx, m, call, key, send)
		var want *undecided
		switch {
		case errors.As(err, &want):
			err = waits.forDecision(ctx, want)
		case err == nil && next.again:
			err = waits.forNewer(ctx, next.beyond)
		default:
			return err
		}
		if err != nil {
			return err
		}
	}
}

// next says what is to follow an attempt at a write that has not failed.
type next struct {
	// again: nothing has happened; it is to be decided anew under a version greater than beyond.
	again  bool
	beyond uint64
}

// attempt decides a write once. It is in the tracker from before that until it is done or, at live, in the ledger. An
// *undecided error says that nothing has happened for want of a decision.
func (r *Router) attempt(ctx context.Context, m *member, call *Call, key string, send func(*Reply) error) (next, error) {
	b := m.begun.enter()
	defer b.leave()
	d, err := r.decide(ctx, m.managed, key)
	if err != nil {
		return next{}, err
	}
	b.decide(d.Version)
	if d.Mixed {
		return next{}, keyNeeded(call)
	}
	switch stages[d.Stage].writes {
	case writeLegacy:
		return next{}, r.alone(ctx, r.opts.Legacy, call, send, &b)
	case writeModern:
		if call.Idempotency != nil {
			return next{}, Fail(codes.Unimplemented, ReasonKeyRefused, "%s is done by a new service alone, which can't be kept from doing it twice; call it without %s", call.Operation.Name, IdempotencyKeyHeader)
		}
		return next{}, r.alone(ctx, m.Modern, call, send, &b)
	case writeBoth:
		done := r.live(ctx, m, call, key, d, &b)
		if done.again || done.err != nil {
			return next{again: done.again, beyond: d.Version}, done.err
		}
		if done.replayed {
			call.Answer(ReplayedHeader, "true")
		}
		return next{}, send(&Reply{Message: done.reply})
	default:
		return next{again: true, beyond: d.Version}, nil
	}
}

// alone has one side do a write. A reply is sent once the write is out of the tracker, so that no slow caller keeps a shift
// waiting; those of a stream can't be kept until then.
func (r *Router) alone(ctx context.Context, side Backend, call *Call, send func(*Reply) error, b *begun) error {
	if call.Operation.ServerStreaming {
		err := side.Call(ctx, call, send)
		r.lost(b, err)
		return err
	}
	var reply *contract.Payload
	err := side.Call(ctx, call, func(given *Reply) error {
		reply = given.Message
		return nil
	})
	r.lost(b, err)
	b.leave()
	if err != nil || reply == nil {
		return err
	}
	return send(&Reply{Message: reply})
}

// lost keeps a write in the tracker whose transaction may still be under way.
func (r *Router) lost(b *begun, err error) {
	if err != nil && reasonOf(err) == commitUnknown {
		r.drain.keep(b.keep())
	}
}
