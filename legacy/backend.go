package legacy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// attempts is how often an operation runs that deadlocks; the waits between are random, up to retryWait times the try.
const (
	attempts  = 4
	retryWait = 20 * time.Millisecond
)

// Backend answers operations from the legacy database. It is safe for concurrent use.
type Backend struct {
	program  *Program
	pool     *pool.Pool
	maxReply int
	keys     *Keys
}

// New makes a Backend of a verified program. maxReply bounds a reply, in bytes. The pool stays the caller's.
func New(p *Program, conns *pool.Pool, maxReply int) *Backend {
	return &Backend{program: p, pool: conns, maxReply: maxReply}
}

// Call answers an operation. See strangler.Backend.
func (b *Backend) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	op := b.program.ops[call.Operation.Name]
	if op == nil {
		return strangler.Fail(codes.Unimplemented, "NOT_SERVED", "%s is not served here", call.Operation.Name)
	}
	in, err := op.read(call.Request)
	if err != nil {
		return strangler.Fail(codes.InvalidArgument, "MALFORMED_REQUEST", "the request is no valid %s; send it encoded by the contract's own messages", op.input.FullName()).WithCause(err)
	}
	streamed := false
	sender := send
	if call.Operation.ServerStreaming {
		sender = func(r *strangler.Reply) error {
			streamed = true
			return send(r)
		}
	}
	for try := 1; ; try++ {
		reply, replayed, err := b.once(ctx, op, call, in, sender)
		switch {
		case err != nil:
			if err = again(ctx, err, try, !streamed, op.sticky); err != nil {
				return err
			}
		case call.Operation.ServerStreaming:
			return nil
		default:
			if replayed {
				call.Answer(strangler.ReplayedHeader, "true")
			}
			return send(&strangler.Reply{Message: contract.FromWire(op.output, reply)})
		}
	}
}

// Put makes legacy's rows equal a message, by its put block, in a transaction of its own. Repeating it changes
// nothing. It fails with UNIMPLEMENTED when the message has no put.
func (b *Backend) Put(ctx context.Context, entity *contract.Payload) error {
	name := entity.Descriptor().FullName()
	op := b.program.puts[name]
	if op == nil {
		return strangler.Fail(codes.Unimplemented, "NO_PUT", "no SQL puts %s", name)
	}
	msg, err := entity.Message()
	if err != nil {
		return fmt.Errorf("decoding %s: %w", name, err)
	}
	for try := 1; ; try++ {
		if _, _, err = b.once(ctx, op, &strangler.Call{}, input{message: msg}, nil); err == nil {
			return nil
		}
		if err = again(ctx, err, try, true, op.sticky); err != nil {
			return err
		}
	}
}

// again gives nil, after a wait, where an operation that failed is to run once more, whole: the server ended its
// transaction to break a deadlock, nothing was sent yet (repeatable), all of it was undone (not sticky), and it was not
// tried too often. Else it gives
// what the caller is told.
func again(ctx context.Context, err error, try int, repeatable, sticky bool) error {
	if !pool.Retryable(err) {
		return err
	}
	if sticky {
		return strangler.Fail(codes.Aborted, "CONTENTION", "other calls changed the same rows, and this one was given up; part of what it did may have stayed: read it back before repeating it").
			WithCause(err)
	}
	if !repeatable || try == attempts {
		return strangler.Fail(codes.Aborted, "CONTENTION", "other calls kept changing the same rows; try again").
			WithRetry(time.Second).WithCause(err)
	}
	wait := time.NewTimer(rand.N(retryWait * time.Duration(try)))
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return err
	case <-wait.C:
		return nil
	}
}

// once runs an operation on a connection of its own, in the isolation that it needs. replayed says that the reply is that of
// an earlier call with the same idempotency key.
func (b *Backend) once(ctx context.Context, op *operation, call *strangler.Call, in input, send func(*strangler.Reply) error) (reply []byte, replayed bool, err error) {
	r, err := b.start(op, call, in)
	if err != nil {
		return nil, false, err
	}
	defer r.free()
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	defer conn.Release() // rolls back what is open
	r.conn, r.send = conn, send
	isolation := op.isolation
	validates := op.changes && call.Operation != nil && call.Operation.Validates(call.Request)
	if call.Idempotency != nil || validates {
		isolation = write // key, change and reply are one; or all is undone
	}
	if validates && op.sticky {
		return nil, false, strangler.Fail(codes.Unimplemented, "VALIDATE_ONLY_UNSUPPORTED",
			"%s changes tables without transactions, which can't be undone; call it without validate_only", call.Operation.Name)
	}
	apart := op.sticky && !b.mixes()
	if isolation == bare && op.changes && !apart && b.pool.Marks() {
		isolation = write // a mark and what it marks need a transaction around them
	}
	switch {
	case isolation == snapshot:
		err = conn.Command(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
	case apart:
		if err = conn.Mark(ctx); err == nil && isolation == write {
			err = conn.Command(ctx, "START TRANSACTION")
		}
	case isolation == write:
		err = conn.BeginWrite(ctx)
	}
	if err != nil {
		return nil, false, asError(err)
	}
	if reply, replayed, err = b.do(ctx, r); err != nil {
		return nil, false, op.uncertain(err, isolation)
	}
	if isolation == bare || replayed || validates { // what is open is rolled back
		return reply, replayed, nil
	}
	if err := conn.Commit(ctx); err != nil {
		return nil, false, asError(err)
	}
	return reply, false, nil
}

// do runs the statements, unless the call's idempotency key says that they were run before.
func (b *Backend) do(ctx context.Context, r *run) (reply []byte, replayed bool, err error) {
	key := r.call.Idempotency
	if key == nil {
		reply, err = r.answer(ctx)
		return reply, false, err
	}
	if reply, replayed, err = b.keys.claim(ctx, r.conn, key, string(r.call.Operation.Name), ""); err != nil || replayed {
		return reply, replayed, err
	}
	if reply, err = r.answer(ctx); err != nil {
		return nil, false, err
	}
	return reply, false, b.keys.settle(ctx, r.conn, key, reply)
}

// answer runs the statements and puts the reply of a unary operation together.
func (r *run) answer(ctx context.Context) (reply []byte, err error) {
	if err := r.statements(ctx); err != nil {
		return nil, err
	}
	if r.op.rpc != nil && !r.op.rpc.ServerStreaming {
		return r.reply()
	}
	return nil, nil
}

// mixes tells whether a transaction may change tables that have none behind its mark. MySQL with GTIDs refuses that behind
// any change of InnoDB's (error 1785), so there the mark goes before, as a transaction of its own: it still stops a replica
// that may not write, but what the operation itself changes has none, also what it changes in InnoDB at its end.
//
// MariaDB takes it, and logs each statement's changes of tables without transactions at once, as a group of their own in
// front of the transaction's: no mark reaches those. What commits with the transaction has its mark, and a replica that may
// not write changes neither.
func (b *Backend) mixes() bool {
	server, known := b.pool.Server()
	return known && server.MariaDB
}

// uncertain tells the caller of a change that committed itself, whole or in part, that it may have happened, where its
// connection was lost.
func (op *operation) uncertain(err error, in isolation) error {
	var e *strangler.Error
	if (in == bare || op.sticky) && op.changes && errors.As(err, &e) && e.Code == codes.Unavailable && e.Reason == pool.Unavailable {
		return pool.OutcomeUnknown(err)
	}
	return err
}

// asError gives what the pool says as the caller's error.
func asError(err error) error {
	var e *strangler.Error
	if errors.As(err, &e) {
		return e
	}
	return pool.Translate(err)
}
