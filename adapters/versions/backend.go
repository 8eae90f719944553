package versions

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// Backend answers older operations by the newer ones of next, and leaves all others to it. allow says why the caller may not
// make the newer call that his becomes, so that an older operation is no way around what is required for a newer one; nil
// lets everybody.
func (v *Versions) Backend(next strangler.Backend, allow func(*strangler.Call) error) strangler.Backend {
	if len(v.translations) == 0 {
		return next
	}
	if allow == nil {
		allow = func(*strangler.Call) error { return nil }
	}
	return &backend{v, next, allow}
}

type backend struct {
	versions *Versions
	next     strangler.Backend
	allow    func(*strangler.Call) error
}

// Call translates the request, as often as there are versions between, and every reply.
func (b *backend) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	t := b.versions.translations[call.Operation]
	if t == nil {
		return b.next.Call(ctx, call, send)
	}
	newer := *call
	newer.Operation = t.newer
	var err error
	if newer.Request, err = t.ask(call.Request); err != nil {
		return err
	}
	if err := b.allow(&newer); err != nil {
		return t.told(err)
	}
	var stopped error // by the caller, or by a reply that can't be translated: both need no translation
	err = b.Call(ctx, &newer, func(r *strangler.Reply) error {
		answered, err := t.answer(r)
		if err == nil {
			err = send(answered)
		}
		stopped = err
		return err
	})
	switch {
	case err == nil:
		return nil
	case stopped != nil:
		return stopped
	default:
		return t.told(err)
	}
}

// ask translates a request.
func (t *translation) ask(request *contract.Payload) (*contract.Payload, error) {
	if t.request == nil {
		return request, nil
	}
	wire, err := request.Wire()
	if err != nil {
		return nil, malformed(t.older, err)
	}
	out, err := t.request.translate(wire)
	if err != nil {
		return nil, t.refusal(err)
	}
	return contract.FromWire(t.newer.Input, out), nil
}

// refusal is what the caller is told of a request that can't be translated.
func (t *translation) refusal(err error) error {
	var told *strangler.Error
	var wrong *fieldError
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &wrong) && len(wrong.paths) == 0:
		return strangler.Fail(codes.InvalidArgument, "INVALID_REQUEST", "the request can't be used here; hold it against what the API says of %s", t.older.Name).WithCause(err)
	case errors.As(err, &wrong):
		e := strangler.Invalid(wrong.paths[0], "%s", wrong.text)
		for _, path := range wrong.paths[1:] {
			e.Violations = append(e.Violations, strangler.Violation{Field: path, Description: wrong.text})
		}
		return e.WithCause(err)
	default:
		return malformed(t.older, err)
	}
}

func malformed(op *contract.Operation, cause error) error {
	return strangler.Fail(codes.InvalidArgument, "MALFORMED_REQUEST",
		"the request is no valid %s; send it encoded by the contract's own messages", op.Input.FullName()).WithCause(cause)
}

// answer translates a reply.
func (t *translation) answer(r *strangler.Reply) (*strangler.Reply, error) {
	if t.reply == nil {
		return r, nil
	}
	wire, err := r.Message.Wire()
	if err != nil {
		return nil, fmt.Errorf("encoding the reply of %s: %w", t.newer.Name, err)
	}
	out, err := t.reply.translate(wire)
	if err != nil {
		return nil, strangler.Fail(codes.Internal, "UNTRANSLATABLE",
			"the answer can't be given by %s; the log names the cause under the request id", t.older.Name).
			WithCause(fmt.Errorf("translating a reply of %s: %w", t.newer.Name, err))
	}
	answered := *r
	answered.Message = contract.FromWire(t.older.Output, out)
	return &answered, nil
}
