package strangler

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
)

// steps are what brings a live write to its end, one by one. The Router takes them while a caller waits, the Sweeper for
// what was left behind. Each can be repeated.
type steps struct {
	capability  *Capability
	ledger      Ledger
	readTimeout time.Duration
}

// verdict is what modern has said of a write.
type verdict uint8

const (
	unclear   verdict = iota // it may have happened, or may yet
	unsent                   // nothing of this try has left here
	committed                // modern has it
	refused                  // nothing of this try has happened
	passed                   // nothing has happened in any try, nor will: the epoch is over
)

// ask has modern do a write, or say what became of it: for a write that it knows, it gives the stored reply.
func (s *steps) ask(ctx context.Context, call *Call) (reply *contract.Payload, said verdict, why *Error) {
	err := s.capability.Modern.Call(ctx, call, func(r *Reply) error {
		reply = r.Message
		return nil
	})
	if err == nil && reply == nil {
		return nil, unclear, Fail(codes.Internal, "NO_REPLY", "the new service has answered nothing; tell its operators")
	}
	if err == nil {
		return reply, committed, nil
	}
	why = AsError(err)
	switch {
	case why.Unsent:
		return nil, unsent, why
	case epochPassed(why):
		return nil, passed, why
	case definite(why):
		return nil, refused, why
	default:
		return nil, unclear, why
	}
}

// ending is how far a write has come. Open is no end: why says what stood in the way, if anything did.
type ending struct {
	state WriteState
	// reply is the stored one of a closed write.
	reply   []byte
	carried bool
	why     error
}

// bring takes the write's entity from modern to legacy, and closes the write. modern's reply says which entity it is where
// the request didn't. What legacy can't take leaves the write in doubt.
func (s *steps) bring(ctx context.Context, w *Write, reply *contract.Payload) ending {
	wire, err := reply.Wire()
	if err == nil && w.Entity == "" {
		w.Entity, err = s.capability.Entity.idInReply(reply)
	}
	if err != nil {
		return s.finish(ctx, w, WriteDoubt, err)
	}
	err = s.ledger.WriteBack(ctx, w, wire, func(ctx context.Context) (*contract.Payload, error) { return s.read(ctx, w) })
	var differ *DifferError
	switch {
	case err == nil:
		return ending{state: WriteClosed, reply: wire}
	case errors.Is(err, ErrNotOpen), reasonOf(err) == commitUnknown:
		end := s.look(ctx, w)
		if end.state == WriteFailed {
			return s.finish(ctx, w, WriteDoubt, errors.Join(errors.New("modern has done what it had refused before"), end.why))
		}
		return end
	case errors.As(err, &differ), untakable(err):
		return s.finish(ctx, w, WriteDoubt, err)
	default:
		return ending{state: WriteOpen, why: err}
	}
}

// unread is the error of a read of modern, which says nothing of what legacy can take.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }

// untakable says whether legacy has refused to put what modern has, as it will again.
func untakable(err error) bool {
	var read unread
	var e *Error
	if errors.As(err, &read) || !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case codes.InvalidArgument, codes.AlreadyExists, codes.FailedPrecondition, codes.OutOfRange:
		return true
	default:
		return false
	}
}

// read gives the write's entity as modern has it; nil where it has none.
func (s *steps) read(ctx context.Context, w *Write) (*contract.Payload, error) {
	ctx, cancel := context.WithTimeout(ctx, s.readTimeout)
	defer cancel()
	entity := s.capability.Entity
	request, err := entity.Request(w.Entity)
	if err != nil {
		return nil, unread{err}
	}
	var state *contract.Payload
	err = s.capability.Modern.Call(ctx, &Call{Operation: entity.Get, Request: request, RequestID: w.ID}, func(r *Reply) error {
		state = r.Message
		return nil
	})
	switch {
	case err != nil && AsError(err).Code == codes.NotFound:
		return nil, nil
	case err != nil:
		return nil, unread{err}
	case state == nil:
		return nil, unread{Fail(codes.Internal, "NO_REPLY", "the new service has answered nothing; tell its operators")}
	}
	return state, s.sameKey(w, state)
}

// sameKey holds what a write was routed by to what the entity is routed by. They differ where a request has named another
// owner: then legacy's own state of the entity may be newer.
func (s *steps) sameKey(w *Write, state *contract.Payload) error {
	if s.capability.Entity.Key == nil || !w.Keyed {
		return nil
	}
	m, err := state.Message()
	if err != nil {
		return unread{err}
	}
	key, ok, err := s.capability.Entity.Key(m)
	switch {
	case err != nil:
		return unread{err}
	case ok && key != w.Key:
		return &DifferError{What: "the entity is routed by another key than the write was: check `key` and `keys` of the capability, and whose the entity is"}
	}
	return nil
}

// finish ends a write without a write-back.
func (s *steps) finish(ctx context.Context, w *Write, state WriteState, why error) ending {
	err := s.ledger.Finish(ctx, w.ID, state, brief(why))
	switch {
	case err == nil:
		return ending{state: state, why: why}
	case errors.Is(err, ErrNotOpen), reasonOf(err) == commitUnknown:
		return s.look(ctx, w)
	default:
		return ending{state: WriteOpen, why: err}
	}
}

// errNoRow says that a write that was begun is not in the ledger.
var errNoRow = errors.New("the write is not in the ledger")

// look asks the ledger how far a write has come.
func (s *steps) look(ctx context.Context, w *Write) ending {
	found, reply, err := s.ledger.Find(ctx, w.ID, w.Entity)
	switch {
	case err != nil:
		return ending{state: WriteOpen, why: err}
	case found == nil:
		return ending{state: WriteOpen, why: errNoRow}
	}
	e := ending{state: found.State, reply: reply, carried: found.Carried}
	if found.Reason != "" {
		e.why = errors.New(found.Reason)
	}
	return e
}

// persist takes a step again and again, until there is an end or ctx ends, and gives what the last try gave.
func persist(ctx context.Context, step func() ending) ending {
	for wait := shortPause; ; wait = min(2*wait, longPause) {
		e := step()
		if e.state != WriteOpen || !pause(ctx, wait) {
			return e
		}
	}
}
