package strangler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
)

// liveWrite is one write at stage live, from its decision to the caller's answer:
//
//  1. its row is committed in the ledger, so that whatever happens from here on it will be brought to an end;
//  2. modern does it, asked under the same id until it says what became of it;
//  3. its entity is brought from modern to legacy, which closes the row;
//  4. the caller is told.
//
// A rollback may void the row at any time before 3 has committed. Then nothing of it has happened, and it is decided anew.
type liveWrite struct {
	router *Router
	member *member
	key    string
	call   *Call
	row    Write

	// caller is the caller's context. The write outlives it: work ends a while after it.
	caller context.Context
	work   context.Context
	// going ends when work does, or when the row is seen not to be open any more: giveUp ends it then.
	going  context.Context
	giveUp context.CancelCauseFunc
	// asking is for calls of modern: it ends at the caller's deadline, too.
	asking context.Context

	free    []func()
	watcher sync.WaitGroup
}

// result is what became of a live write.
type result struct {
	// reply is modern's answer; nil when there is an err, or when again.
	reply *contract.Payload
	// replayed says that the reply is that of an earlier call with the same idempotency key.
	replayed bool
	// again says that nothing of the write has happened, or will: it is to be decided anew, under a newer version.
	again bool
	// void is the row, where a rollback has given the write up.
	void *Write
	err  error
}

// errNotOpenAnyMore ends what is under way for a write whose row is not open any more.
var errNotOpenAnyMore = errors.New("the ledger says that the write is not open any more")

// live does a write at stage live. It takes b out of the tracker once the row is committed.
func (r *Router) live(ctx context.Context, m *member, call *Call, key string, d flags.Decision, b *begun) result {
	switch {
	case m.Entity == nil || r.opts.Ledger == nil:
		return result{err: notLive(call, "the capability "+m.Name+" declares no entity to write back, or there is no ledger, but its flag says live")}
	case call.Operation.ServerStreaming:
		return result{err: notLive(call, "it is a write that answers by a stream, which can't be kept in the ledger, but its flag says live")}
	}
	l := &liveWrite{router: r, member: m, key: key, call: call, caller: ctx}
	if err := l.prepare(d.Version); err != nil {
		return result{err: err}
	}
	defer l.end()
	if ended := l.open(b); ended != nil {
		return *ended
	}
	b.leave() // from here on the ledger has it
	l.watch()
	return l.run()
}

// prepare makes the row, and the contexts that the steps run in.
func (l *liveWrite) prepare(epoch uint64) error {
	opts := &l.router.opts
	request, err := l.call.Request.Wire()
	if err != nil {
		return Invalid("request", "it can't be encoded; send texts as UTF-8").WithCause(err)
	}
	entity, err := l.member.route.idInRequest(l.call.Request)
	if err != nil {
		return Invalid("request", "it can't be decoded as %s", l.call.Operation.Input.FullName()).WithCause(err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("a write's id: %w", err)
	}
	l.row = Write{
		ID: id.String(), Capability: l.member.Name, Operation: string(l.call.Operation.Name),
		Key: l.key, Keyed: l.key != "", Entity: entity, Epoch: epoch, Replica: opts.Replica, Request: request, State: WriteOpen, Idempotency: l.call.Idempotency,
	}
	tagged := *l.call
	tagged.Write = WriteTag{ID: l.row.ID, Epoch: epoch}
	l.call = &tagged

	deadline := time.Now().Add(opts.CallTimeout)
	if d, ok := l.caller.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	var cancel context.CancelFunc
	l.work, cancel = context.WithDeadline(context.WithoutCancel(l.caller), deadline.Add(opts.Grace))
	gone := context.AfterFunc(l.caller, func() { time.AfterFunc(opts.Grace, cancel) })
	l.going, l.giveUp = context.WithCancelCause(l.work)
	asking, stop := context.WithDeadline(l.going, deadline)
	l.asking = asking
	l.free = []func(){func() { gone() }, cancel, stop}
	return nil
}

// end frees what the write holds, and waits for its watcher.
func (l *liveWrite) end() {
	l.giveUp(nil)
	for _, free := range l.free {
		free()
	}
	l.watcher.Wait()
}

// open commits the row. It gives a result where the write has to go no further. Where it can't be known whether the row is
// committed, the write stays in the tracker until that is over.
func (l *liveWrite) open(b *begun) *result {
	err := l.router.opts.Ledger.Open(l.caller, &l.row)
	var done *AlreadyDone
	switch {
	case err == nil:
		return nil
	case errors.As(err, &done):
		return &result{reply: contract.FromWire(l.call.Operation.Output, done.Reply), replayed: true}
	case reasonOf(err) != commitUnknown:
		return &result{err: err} // nothing has happened
	}
	for wait := shortPause; ; wait = min(2*wait, longPause) {
		end := l.member.steps.look(l.work, &l.row)
		switch {
		case end.state != WriteOpen:
			concluded := l.conclude(end, nil)
			return &concluded
		case end.why == nil:
			return nil
		case errors.Is(end.why, errNoRow) || !pause(l.work, wait):
			l.router.drain.keep(b.keep())
			return &result{err: outcomeUnknown(l.caller, &l.row, err)}
		}
	}
}

// run has modern do the write, and brings it home.
func (l *liveWrite) run() result {
	if l.asking.Err() != nil {
		return l.neverAsked(AsError(context.DeadlineExceeded).WithCause(errors.New("the caller's time was over before modern was asked")))
	}
	unsure := false // whether an earlier try may have happened, or may yet
	for wait := shortPause; ; wait = min(2*wait, longPause) {
		reply, said, why := l.member.steps.ask(l.asking, l.call)
		switch {
		case said == committed:
			return l.bring(reply)
		case said == passed:
			return l.passed(why)
		case said == refused && !unsure:
			return l.refused(why)
		case said == unsent:
			if !pause(l.asking, wait) {
				if !unsure {
					return l.neverAsked(why)
				}
				return l.interrupted(why)
			}
			continue
		case said == refused:
			// What an earlier try does may still come after this refusal. The sweeper asks again when it can't any more.
			return result{err: outcomeUnknown(l.caller, &l.row, why)}
		}
		unsure = true
		if !pause(l.asking, wait) {
			return l.interrupted(why)
		}
	}
}

// neverAsked ends a write that modern was not asked for in the caller's time: nothing of it has happened.
func (l *liveWrite) neverAsked(why *Error) result {
	end := l.finish(WriteFailed, why)
	if end.state == WriteFailed || end.state == WriteVoid {
		return result{err: why}
	}
	return l.conclude(end, nil)
}

// bring does the write-back, and gives the caller modern's reply once it has committed.
func (l *liveWrite) bring(reply *contract.Payload) result {
	end := persist(l.going, func() ending { return l.member.steps.bring(l.going, &l.row, reply) })
	if end.state == WriteOpen {
		return l.interrupted(end.why)
	}
	return l.conclude(end, reply)
}

// passed voids the write, which modern won't do under its epoch, ever. It is decided anew even where that can't be written
// down: the sweeper will be told the same.
func (l *liveWrite) passed(why error) result {
	switch end := l.finish(WriteVoid, why); end.state {
	case WriteVoid, WriteOpen, WriteFailed:
		return result{again: true}
	default:
		return l.conclude(end, nil)
	}
}

// refused ends the write as modern's refusal. The caller is told only once that is written down: a row that is open still
// makes the sweeper ask again, and then modern may do it.
func (l *liveWrite) refused(why error) result {
	switch end := l.finish(WriteFailed, why); end.state {
	case WriteFailed, WriteVoid:
		return result{err: why}
	default:
		return l.conclude(end, nil)
	}
}

func (l *liveWrite) finish(state WriteState, why error) ending {
	return persist(l.work, func() ending { return l.member.steps.finish(l.work, &l.row, state, why) })
}

// interrupted says what became of a write whose steps were cut short: by its row, which is not open any more, or by time.
func (l *liveWrite) interrupted(why error) result {
	if !errors.Is(context.Cause(l.going), errNotOpenAnyMore) {
		return result{err: outcomeUnknown(l.caller, &l.row, why)}
	}
	return l.conclude(persist(l.work, func() ending { return l.member.steps.look(l.work, &l.row) }), nil)
}

// conclude gives the result of an ending. reply is modern's, where it has given one.
func (l *liveWrite) conclude(end ending, reply *contract.Payload) result {
	switch end.state {
	case WriteClosed:
		if reply == nil {
			reply = contract.FromWire(l.call.Operation.Output, end.reply)
		}
		return result{reply: reply}
	case WriteVoid:
		if l.row.Idempotency != nil {
			return result{again: true} // who decides about its key sees what has become of it
		}
		if !end.carried {
			row := l.row
			return result{again: true, void: &row}
		}
	case WriteDoubt:
		l.log("a live write is in doubt: modern has it, and legacy can't take it", end.why)
		return result{err: inDoubt(&l.row, end.why)}
	case WriteFailed:
		if reply != nil {
			l.log("modern has done a live write that it had refused before: legacy does not have it", end.why)
			return result{err: inDoubt(&l.row, end.why)}
		}
	}
	return result{err: outcomeUnknown(l.caller, &l.row, end.why)}
}

func (l *liveWrite) log(what string, why error) {
	l.router.opts.Logger.Error(what, slog.String("write", l.row.ID), slog.String("capability", l.row.Capability),
		slog.String("operation", l.row.Operation), slog.String("entity", l.row.Entity),
		slog.String("request_id", l.call.RequestID), slog.Any("error", why))
}
