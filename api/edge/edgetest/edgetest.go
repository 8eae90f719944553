// Package edgetest is a contract of all kinds of fields and rules, and a Backend that echoes, for tests of the edges.
package edgetest

import (
	"context"
	"embed"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

//go:embed all.proto
var files embed.FS

// Contract loads the test contract, test.v1.
func Contract(t testing.TB) *contract.Contract {
	t.Helper()
	c, faults := contract.Load(t.Context(), []contract.Root{{Name: "edgetest", FS: files}})
	if err := faults.Err(); err != nil {
		t.Fatalf("the test contract: %v", err)
	}
	return c
}

// Codes that the operation Fail answers with something special; other codes are answered with an error of that code.
const (
	FailPanic = 100 + iota
	FailPlain
	FailDeadline
	FailNoReply
	FailTwoReplies
	FailWait // waits until the call's context ends
)

// Echo answers Echo, UpdateChild and OnlyGRPC with the request, Watch with as many copies as f_int32 says, Fail with
// errors. Seen, when set, gets each call.
type Echo struct {
	Seen func(context.Context, *strangler.Call)
}

// Call implements strangler.Backend.
func (e Echo) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	if e.Seen != nil {
		e.Seen(ctx, call)
	}
	msg, err := call.Request.Message()
	if err != nil {
		return err
	}
	fields := call.Operation.Input.Fields()
	switch call.Operation.Descriptor.Name() {
	case "Fail":
		return fail(ctx, int(msg.Get(fields.ByName("code")).Int()), call, send)
	case "Watch":
		for range msg.Get(fields.ByName("f_int32")).Int() {
			if err := send(&strangler.Reply{Message: contract.FromMessage(msg)}); err != nil {
				return err
			}
		}
		if msg.Get(fields.ByName("f_string")).String() == "fail" {
			return strangler.Fail(codes.Unavailable, "GONE", "the stream broke; ask again")
		}
		return nil
	}
	return send(&strangler.Reply{Message: contract.FromMessage(msg)})
}

func fail(ctx context.Context, code int, call *strangler.Call, send func(*strangler.Reply) error) error {
	empty := &strangler.Reply{Message: contract.FromWire(call.Operation.Output, nil)}
	switch code {
	case FailPanic:
		panic("a test's panic")
	case FailPlain:
		return errors.New("secret cause")
	case FailDeadline:
		return context.DeadlineExceeded
	case FailNoReply:
		return nil
	case FailTwoReplies:
		if err := send(empty); err != nil {
			return err
		}
		return send(empty)
	case FailWait:
		<-ctx.Done()
		return ctx.Err()
	case 0:
		return send(empty)
	case int(codes.InvalidArgument):
		return strangler.Invalid("code", "%d is not allowed", code)
	}
	return strangler.Fail(codes.Code(code), "TEST", "failed with code %d", code).WithCause(errors.New("secret cause"))
}
