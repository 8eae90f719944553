package auth

import (
	"context"
	"maps"
	"time"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// Options say how callers prove who they are, and what they may do.
type Options struct {
	// Tokens verifies access tokens; nil: none are taken.
	Tokens *Tokens
	// Certificates says what client certificates prove; nil: nothing.
	Certificates *Certificates
	// Public are the operations that need no credentials. Wrong ones are refused there, too.
	Public map[*contract.Operation]bool
	// Rules are what has to hold for the callers of an operation: all of its rules.
	Rules Rules
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Backend lets calls through to another Backend whose callers are known and may make them, with Claims and Client filled.
type Backend struct {
	opts Options
	next strangler.Backend
}

// New guards next.
func New(opts Options, next strangler.Backend) *Backend {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Backend{opts: opts, next: next}
}

// Call answers by the other Backend, with UNAUTHENTICATED when it is not known who calls, or with PERMISSION_DENIED when he
// may not.
func (b *Backend) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	if err := b.identify(ctx, call); err != nil {
		return err
	}
	if err := b.opts.Rules.Check(call); err != nil {
		return err
	}
	return b.next.Call(ctx, call, send)
}

// identify fills in who calls.
func (b *Backend) identify(ctx context.Context, call *strangler.Call) error {
	call.Claims, call.Client, call.Subject = nil, "", ""
	token, given, err := b.token(call)
	if err != nil {
		return err
	}
	certified := b.opts.Certificates != nil && call.Certificate != nil
	switch {
	case given:
		who, err := b.opts.Tokens.verify(ctx, token, call.Certificate)
		if err != nil {
			return err
		}
		call.Claims, call.Client, call.Subject = who.claims, who.client, who.subject
	case certified:
	case b.opts.Public[call.Operation]:
		return nil
	default:
		return b.missing()
	}
	if !certified {
		return nil
	}
	names, client, err := b.opts.Certificates.identify(call.Certificate, b.opts.Now())
	if err != nil {
		return err
	}
	claims := make(map[string]any, len(call.Claims)+1)
	maps.Copy(claims, call.Claims) // which belong to all calls with that token
	claims[certificateClaim] = names
	call.Claims = claims
	if !given {
		call.Client = client
	}
	return nil
}

// token gives the call's token, where tokens are taken and one is given.
func (b *Backend) token(call *strangler.Call) (token string, given bool, err error) {
	if b.opts.Tokens == nil || call.Header == nil {
		return "", false, nil
	}
	return bearer(call.Header("authorization"))
}
