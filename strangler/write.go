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
	var void *Write
	for {
		next, err := r.attempt(ctx, m, call, key, void, send)
		if next.void != nil {
			void = next.void
		}
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
	// void is the live write that a rollback has given up; nil: none.
	void *Write
}

// attempt decides a write once. It is in the tracker from before that until it is done or, at live, in the ledger. An
// *undecided error says that nothing has happened for want of a decision. void is an earlier attempt that was given up.
func (r *Router) attempt(ctx context.Context, m *member, call *Call, key string, void *Write, send func(*Reply) error) (next, error) {
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
	does := stages[d.Stage].writes
	if does != writeWaits {
		if err := r.owned(ctx, m, call, key, d.Stage); err != nil {
			return next{}, err
		}
	}
	if does != writeWaits && void != nil {
		if err := m.cameToNothing(ctx, void); err != nil {
			return next{}, err
		}
	}
	switch does {
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
			return next{again: done.again, beyond: d.Version, void: done.void}, done.err
		}
		if done.replayed {
			call.Answer(ReplayedHeader, "true")
		}
		return next{}, send(&Reply{Message: done.reply})
	default:
		return next{again: true, beyond: d.Version}, nil
	}
}

// cameToNothing looks once more whether what modern had done for a void write has come to legacy with another: as long as
// the keys were held, it could.
func (m *managed) cameToNothing(ctx context.Context, void *Write) error {
	end := persist(ctx, func() ending {
		e := m.steps.look(ctx, void)
		if errors.Is(e.why, errNoRow) {
			e.state = WriteDoubt
		}
		return e
	})
	if end.state == WriteVoid && !end.carried {
		return nil
	}
	return outcomeUnknown(ctx, void, end.why)
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
