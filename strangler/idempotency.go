package strangler

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// IdempotencyKeyHeader is the header (metadata) by which a client names a write, so that it can repeat it.
const IdempotencyKeyHeader = "idempotency-key"

// ReplayedHeader marks the answer to a write that was done before.
const ReplayedHeader = "idempotency-replayed"

// longestIdempotencyKey bounds a key, in bytes: what the ledger's column takes.
const longestIdempotencyKey = 255

// IdempotentOptions are what an Idempotent is made of.
type IdempotentOptions struct {
	// Next does what a write is, once: it keeps Call.Idempotency with what it does, in one transaction.
	Next Backend
	// Refuse says why an operation can't keep a key, to whom it concerns; "" where it can. A call with a key that can't be
	// kept is refused: it would be done twice when it is repeated.
	Refuse func(call *Call) string
}

// Idempotent is the Backend that reads Idempotency-Keys. Within one process, calls with the same key come one after the
// other, so that those who wait hold nothing; between processes the ledger has them wait. It is safe for concurrent use.
type Idempotent struct {
	opts IdempotentOptions

	mu    sync.Mutex
	turns map[keyOf]*keyTurn
}

type keyOf struct{ client, subject, key string }

// keyTurn is a key that a call has, or waits for.
type keyTurn struct {
	taken  chan struct{}
	wanted int
}

// NewIdempotent makes one.
func NewIdempotent(opts IdempotentOptions) *Idempotent {
	return &Idempotent{opts: opts, turns: map[keyOf]*keyTurn{}}
}

// Call answers a write that has a key once: a repetition gets the stored reply. All else goes on as it is.
func (i *Idempotent) Call(ctx context.Context, call *Call, send func(*Reply) error) error {
	if call.Operation.Read || call.Header == nil || call.Operation.Validates(call.Request) {
		return i.opts.Next.Call(ctx, call, send)
	}
	given := call.Header(IdempotencyKeyHeader)
	if len(given) == 0 {
		return i.opts.Next.Call(ctx, call, send)
	}
	key, err := readIdempotencyKey(given)
	if err != nil {
		return err
	}
	if why := i.opts.Refuse(call); why != "" {
		return Fail(codes.Unimplemented, ReasonKeyRefused, "%s can't be kept from happening twice: %s; call it without %s", call.Operation.Name, why, IdempotencyKeyHeader)
	}
	hash, err := hashOf(call)
	if err != nil {
		return err
	}
	leave, err := i.enter(ctx, keyOf{call.Client, call.Subject, key})
	if err != nil {
		return err
	}
	defer leave()
	tagged := *call
	tagged.Idempotency = &Idempotency{Client: call.Client, Subject: call.Subject, Key: key, Request: hash}
	return i.repeat(ctx, &tagged, send)
}

// repeat tries until no other process's call with the key is under way.
func (i *Idempotent) repeat(ctx context.Context, call *Call, send func(*Reply) error) error {
	var busy error
	for wait := shortPause; ; wait = min(2*wait, longPause) {
		err := i.opts.Next.Call(ctx, call, send)
		if err != nil && busy != nil && ctx.Err() != nil {
			return busy // whatever that try came to, it is worth repeating
		}
		switch reason := reasonOf(err); {
		case err == nil:
			return nil
		case reason == ReasonInProgress && pause(ctx, wait):
			busy = err
		case reason == commitUnknown, reason == ReasonOutcomeUnknown:
			return repeatable(err)
		default:
			return err
		}
	}
}

// repeatable tells a caller whose write has a key to repeat it.
func repeatable(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Code == codes.DataLoss {
		return err
	}
	told := *e
	told.Message = "it is not known yet whether the change has happened, or still will; repeat it with the same idempotency key"
	return told.WithRetry(retryAfter)
}

// enter waits until no other call of this process has the key. leave has to be called unless there is an error.
func (i *Idempotent) enter(ctx context.Context, key keyOf) (leave func(), err error) {
	i.mu.Lock()
	t := i.turns[key]
	if t == nil {
		t = &keyTurn{taken: make(chan struct{}, 1)}
		i.turns[key] = t
	}
	t.wanted++
	i.mu.Unlock()
	drop := func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if t.wanted--; t.wanted == 0 {
			delete(i.turns, key)
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() {
			<-t.taken
			drop()
		}, nil
	case <-ctx.Done():
		drop()
		return nil, inProgress().WithCause(ctx.Err())
	}
}

// readIdempotencyKey reads the header: the key as it is, or as a quoted string as the IETF's draft has it.
func readIdempotencyKey(given []string) (string, error) {
	if len(given) > 1 {
		return "", Invalid(IdempotencyKeyHeader, "it is given %d times; give one", len(given))
	}
	key := given[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		inner := key[1 : n-1]
		key = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(inner)
	}
	switch {
	case key == "":
		return "", Invalid(IdempotencyKeyHeader, "it is empty; make a new one for each write, such as a UUID")
	case len(key) > longestIdempotencyKey:
		return "", Invalid(IdempotencyKeyHeader, "it has %d bytes, and %d is the most; make a new one for each write, such as a UUID", len(key), longestIdempotencyKey)
	}
	for _, c := range []byte(key) {
		if c < ' ' || c > '~' {
			return "", Invalid(IdempotencyKeyHeader, "it has to be printable ASCII; make a new one for each write, such as a UUID")
		}
	}
	return key, nil
}

// hashOf gives the hash of operation and request: the same for all encodings of a message that mean the same.
func hashOf(call *Call) (hash [32]byte, err error) {
	m, err := call.Request.Message()
	if err != nil {
		return hash, Fail(codes.InvalidArgument, "MALFORMED_REQUEST", "the request is no valid %s; send it encoded by the contract's own messages", call.Operation.Input.FullName()).WithCause(err)
	}
	wire, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		return hash, Invalid("request", "it can't be encoded; send texts as UTF-8").WithCause(err)
	}
	h := sha256.New()
	h.Write([]byte(call.Operation.Name))
	h.Write([]byte{0})
	h.Write(wire)
	return [32]byte(h.Sum(nil)), nil
}
