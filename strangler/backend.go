package strangler

import (
	"context"
	"crypto/x509"

	"banyan.dev/banyan/contract"
)

// Backend answers calls of the contract. It is the one port between the edges, the Router and both sides, and what
// wraps a Backend (limits, telemetry) is a Backend too.
//
// Call returns when the call has been answered in full. It sends exactly one reply when the operation is unary, any
// number when it is server streaming. send blocks while the caller is slow and is not safe for concurrent use; when it
// fails, Call stops and returns that error. When ctx ends, Call stops what it has begun, frees what it holds and
// returns soon. A Reply and what it holds belong to send's callee from then on.
//
// Errors are *Error, or wrap one; anything else is shown to the caller as INTERNAL with its text kept for the log.
// A Backend is safe for concurrent use.
type Backend interface {
	Call(ctx context.Context, call *Call, send func(*Reply) error) error
}

// BackendFunc is a function as a Backend.
type BackendFunc func(ctx context.Context, call *Call, send func(*Reply) error) error

// Call calls f.
func (f BackendFunc) Call(ctx context.Context, call *Call, send func(*Reply) error) error {
	return f(ctx, call, send)
}

// Call is one request on its way to a Backend.
type Call struct {
	Operation *contract.Operation
	// Request is the operation's Input.
	Request *contract.Payload
	// RequestID names the call in logs and errors.
	RequestID string
	// Header gives the values of one of the caller's headers (metadata), whose name is asked for in lower case; none when
	// it is absent. Most calls are asked for few, so that they are not collected beforehand. It may be nil, and is safe
	// for concurrent use.
	Header func(name string) []string
	// Certificate is the caller's, which the transport has verified; nil when he has shown none.
	Certificate *x509.Certificate
	// Claims are what is known of the caller: the claims of his token, and his certificate's names as `x509`. Texts, truth,
	// int64, uint64, float64, nil, and lists and maps of these. Calls share them: they must not be changed. Nil when nothing
	// is known.
	Claims map[string]any
	// Client names the program or party that calls, the same for each of its calls and on every replica: for logs, for
	// counting callers, and for keeping one client's keys apart from another's. It comes from a claim or a certificate that
	// has been verified, has at most 128 bytes of printable ASCII, and is empty when nobody knows who calls.
	Client string
	// Subject is for whom the client calls: the claim sub of his token, which many may have who use one client. It is never
	// logged, and empty where nothing says so.
	Subject string
	// SetHeader sets a header (metadata) of the answer, by a name in lower case. It counts before the first reply is sent. It
	// may be nil: see Answer.
	SetHeader func(name, value string)
	// Idempotency says that a write is to be done once; nil: it has no key.
	Idempotency *Idempotency
	// Write names the live write that the call is part of, for the modern side only; zero for all else.
	Write WriteTag
}

// Answer sets a header of the answer, where the caller can get any.
func (c *Call) Answer(name, value string) {
	if c.SetHeader != nil {
		c.SetHeader(name, value)
	}
}

// WriteTag is what the modern side is told of a live write.
type WriteTag struct {
	// ID is the same for each try of one write; empty when the call is no live write.
	ID string
	// Epoch is the version of the flag that the write was decided under.
	Epoch uint64
}

// Reply is one message of the answer: the operation's Output.
type Reply struct {
	Message *contract.Payload
}
