package strangler

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
)

// shadow asks modern beside legacy, after the caller has been answered, and compares.
type shadow struct {
	modern  Backend
	timeout time.Duration
	// slots has one element for each read that runs.
	slots  chan struct{}
	behind *background
	log    *sparse

	same, different, failed, dropped atomic.Uint64
}

func (s *shadow) counted() Comparisons {
	return Comparisons{Same: s.same.Load(), Different: s.different.Load(), Failed: s.failed.Load(), Dropped: s.dropped.Load()}
}

// answered is what a side has said: a message, or that there is none, by the code of a definite refusal.
type answered struct {
	wire []byte
	code codes.Code
}

// answer has legacy answer a unary call, and has the answer compared. A Payload is not for two at a time, and is its
// reader's once sent: modern's part gets copies.
func (s *shadow) answer(ctx context.Context, legacy Backend, call *Call, send func(*Reply) error) error {
	if len(s.slots) == cap(s.slots) {
		s.dropped.Add(1)
		return legacy.Call(ctx, call, send)
	}
	var said answered
	err := legacy.Call(ctx, call, func(reply *Reply) error {
		said.wire = wireOf(reply.Message)
		return send(reply)
	})
	if err != nil {
		said = answered{code: refusal(err)}
	}
	if said.wire != nil || said.code != codes.OK {
		s.begin(ctx, call, said)
	}
	return err
}

// wireOf copies a payload's wire form; nil where it can't be had.
func wireOf(p *contract.Payload) []byte {
	wire, err := p.Wire()
	if err != nil {
		return nil
	}
	return append([]byte{}, wire...)
}

// refusal gives the code of an error that says something of the data; OK where it only says that there was no answer.
func refusal(err error) codes.Code {
	e := AsError(err)
	if definite(e) && e.Code != codes.Aborted && e.Code != codes.Unimplemented {
		return e.Code
	}
	return codes.OK
}

// begin has modern asked where there is room.
func (s *shadow) begin(ctx context.Context, call *Call, legacy answered) {
	request := wireOf(call.Request)
	if request == nil || furtherPage(call.Operation, request) {
		return
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.dropped.Add(1)
		return
	}
	copied := *call
	copied.Request = contract.FromWire(call.Operation.Input, request)
	ctx = context.WithoutCancel(ctx)
	if !s.behind.run(func(closing context.Context) {
		defer func() { <-s.slots }()
		ctx, cancel := context.WithTimeout(ctx, s.timeout)
		defer cancel()
		defer context.AfterFunc(closing, cancel)()
		s.compare(ctx, &copied, legacy)
	}) {
		<-s.slots
		s.dropped.Add(1)
	}
}

// compare asks modern, and counts and logs what became of it.
func (s *shadow) compare(ctx context.Context, call *Call, legacy answered) {
	difference, err := s.difference(ctx, call, legacy)
	about := []any{slog.String("operation", string(call.Operation.Name)), slog.String("request_id", call.RequestID)}
	switch {
	case err != nil:
		s.failed.Add(1)
		s.log.warn("modern has not answered a shadow read", append(about, slog.Any("error", err))...)
	case difference != "":
		s.different.Add(1)
		s.log.warn("modern answers a shadow read otherwise than legacy", append(about, slog.String("at", difference))...)
	default:
		s.same.Add(1)
	}
}

// difference says where modern's answer differs from legacy's; "" where it doesn't. An error says that there is no answer.
func (s *shadow) difference(ctx context.Context, call *Call, legacy answered) (at string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a panic: %v", p)
		}
	}()
	var modern *contract.Payload
	err = s.modern.Call(ctx, call, func(reply *Reply) error {
		modern = reply.Message
		return nil
	})
	if err != nil {
		code := refusal(err)
		switch {
		case code == codes.OK:
			return "", err
		case code != legacy.code:
			return fmt.Sprintf("the outcome: legacy says %s, modern %s", legacy.code, code), nil
		}
		return "", nil
	}
	if modern == nil {
		return "", Fail(codes.Internal, "NO_REPLY", "the new service has answered nothing")
	}
	if legacy.code != codes.OK {
		return fmt.Sprintf("the outcome: legacy says %s, modern %s", legacy.code, codes.OK), nil
	}
	theirs, err := modern.Wire()
	if err == nil && bytes.Equal(legacy.wire, theirs) {
		return "", nil
	}
	a, err := contract.FromWire(call.Operation.Output, legacy.wire).Message()
	if err != nil {
		return "", fmt.Errorf("legacy's reply: %w", err)
	}
	b, err := modern.Message()
	if err != nil {
		return "", fmt.Errorf("modern's reply: %w", err)
	}
	sameTokens(a, b)
	return DiffersAt(a, b), nil
}

// furtherPage says whether a call asks for another page than the first (AIP-158). Its token is legacy's own, with which
// modern can't do anything.
func furtherPage(op *contract.Operation, request []byte) bool {
	token := tokenField(op.Input, "page_token")
	if token == nil {
		return false
	}
	m, err := contract.FromWire(op.Input, request).Message()
	return err == nil && m.Has(token)
}

// sameTokens takes two tokens of the next page for the same: each side has its own. One beside none is a difference.
func sameTokens(a, b protoreflect.Message) {
	x, y := tokenField(a.Descriptor(), "next_page_token"), tokenField(b.Descriptor(), "next_page_token")
	if x != nil && y != nil && a.Has(x) && b.Has(y) {
		b.Set(y, a.Get(x))
	}
}

func tokenField(of protoreflect.MessageDescriptor, name protoreflect.Name) protoreflect.FieldDescriptor {
	field := of.Fields().ByName(name)
	if field == nil || field.Kind() != protoreflect.StringKind || field.Cardinality() == protoreflect.Repeated {
		return nil
	}
	return field
}
