package strangler_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler"
)

// trace is what happened, in order.
type trace struct {
	mu     sync.Mutex
	events []string
}

func (t *trace) add(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, fmt.Sprintf(format, args...))
}

func (t *trace) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.events)
}

// side is a Backend that keeps orders in memory: one of the two, as it should be. Faults come from before and after.
type side struct {
	name  string
	trace *trace
	// before is asked ahead of each call, after once it is done and not yet answered; their errors are the answer.
	before, after func(ctx context.Context, call *strangler.Call) error

	mu     sync.Mutex
	orders map[string][]string
	// known has the replies of live writes, epoch is the last fence's.
	known map[string]*contract.Payload
	epoch uint64
	// about has what live writes were about, places counts orders placed.
	about  map[string]string
	places int
	// keep is told of each write, in its transaction.
	keep func(call *strangler.Call, reply *contract.Payload)
}

func newSide(name string, t *trace) *side {
	return &side{name: name, trace: t, orders: map[string][]string{"1": nil}, known: map[string]*contract.Payload{}, about: map[string]string{}}
}

func (s *side) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.trace.add("%s %s", s.name, call.Operation.Descriptor.Name())
	if s.before != nil {
		if err := s.before(ctx, call); err != nil {
			return err
		}
	}
	reply, err := s.do(call)
	if err != nil {
		return err
	}
	if s.after != nil {
		if err := s.after(ctx, call); err != nil {
			return err
		}
	}
	return send(&strangler.Reply{Message: reply})
}

// do is one transaction.
func (s *side) do(call *strangler.Call) (*contract.Payload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id := call.Write.ID; id != "" {
		if reply, ok := s.known[id]; ok {
			wire, _ := reply.Wire()
			return contract.FromWire(reply.Descriptor(), wire), nil
		}
		if call.Write.Epoch < s.epoch {
			return nil, &strangler.Error{Code: codes.FailedPrecondition, Reason: protocol.ReasonEpochPassed, Domain: protocol.ErrorDomain, Message: "too late"}
		}
	}
	request := contract.FromWire(call.Operation.Input, wireOf(call.Request))
	id, reply := text(request, "id"), (*contract.Payload)(nil)
	switch call.Operation.Descriptor.Name() {
	case "GetOrder", "WatchOrders", "GetShop", "ImportOrders":
		lines, ok := s.orders[id]
		if !ok {
			return nil, strangler.Fail(codes.NotFound, "NO_ORDER", "no order %s", id)
		}
		reply = order(id, lines)
	case "PlaceOrder":
		s.places++
		id = fmt.Sprintf("%s-%d", s.name, s.places)
		s.orders[id] = []string{text(request, "line")}
		reply = order(id, s.orders[id])
	case "AddLine":
		lines, ok := s.orders[id]
		if !ok {
			return nil, strangler.Fail(codes.NotFound, "NO_ORDER", "no order %s", id)
		}
		s.orders[id] = append(slices.Clone(lines), text(request, "line"))
		reply = order(id, s.orders[id])
	case "DeleteOrder":
		delete(s.orders, id)
		reply = contract.FromWire(call.Operation.Output, nil)
	case "CountOrders":
		m := dynamicpb.NewMessage(call.Operation.Output)
		m.Set(call.Operation.Output.Fields().ByName("n"), protoreflect.ValueOfInt64(int64(len(s.orders))))
		reply = contract.FromMessage(m)
	}
	if call.Write.ID != "" {
		s.known[call.Write.ID], s.about[call.Write.ID] = reply, id
	}
	if s.keep != nil && !call.Operation.Read {
		s.keep(call, reply)
	}
	wire, err := reply.Wire()
	return contract.FromWire(reply.Descriptor(), wire), err
}

func wireOf(p *contract.Payload) []byte {
	wire, err := p.Wire()
	if err != nil {
		panic(err)
	}
	return slices.Clone(wire)
}

// lines gives an order's lines.
func (s *side) lines(id string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.orders[id])
}

func (s *side) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.orders[id]
	return ok
}

// put makes an order what it is given; nil deletes it.
func (s *side) put(id string, state []string, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if there {
		s.orders[id] = slices.Clone(state)
	} else {
		delete(s.orders, id)
	}
}

// Faults.

type fault func(ctx context.Context, call *strangler.Call) error

// hang waits for the call's end.
func hang(ctx context.Context, _ *strangler.Call) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// fails gives an error, on writes only.
func fails(code codes.Code) fault {
	return func(_ context.Context, call *strangler.Call) error {
		return strangler.Fail(code, "INJECTED", "a fault")
	}
}

// onWrites is for writes of modern, not for reads of entities.
func onWrites(f fault) fault {
	return func(ctx context.Context, call *strangler.Call) error {
		if call.Operation.Read {
			return nil
		}
		return f(ctx, call)
	}
}

// times is a fault for the first n calls.
func times(n int, f fault) fault {
	var mu sync.Mutex
	return func(ctx context.Context, call *strangler.Call) error {
		mu.Lock()
		n--
		again := n >= 0
		mu.Unlock()
		if again {
			return f(ctx, call)
		}
		return nil
	}
}
