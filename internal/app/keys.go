package app

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/strangler"
)

// requestKey routes by an expression over the request.
func requestKey(key *expression.Key) strangler.KeyFunc {
	return func(_ context.Context, call *strangler.Call) (string, bool, error) {
		m, err := call.Request.Message()
		if err != nil {
			return "", false, strangler.Fail(codes.InvalidArgument, "MALFORMED_REQUEST", "the request is no valid %s; send it encoded by the contract's own messages", call.Operation.Input.FullName()).WithCause(err)
		}
		return key.OfCall(m, &expression.Caller{Claims: call.Claims, Client: call.Client, Header: call.Header})
	}
}

// mostRemembered bounds the keys that are remembered, in each of two generations.
const mostRemembered = 32_768

// lookup finds the key of an entity by its id: it reads the entity in legacy, and remembers its key, which never changes.
// Legacy has each entity whose making was acknowledged, wherever it was made.
type lookup struct {
	legacy strangler.Backend
	entity *strangler.Entity
	key    *expression.Key

	mu        sync.Mutex
	now, last map[string]string
}

// by routes by the entity whose id is in a field of the request. What legacy says of an id that it doesn't have is the
// caller's answer.
func (l *lookup) by(id protoreflect.FieldDescriptor) strangler.KeyFunc {
	return func(ctx context.Context, call *strangler.Call) (string, bool, error) {
		m, err := call.Request.Message()
		if err != nil {
			return "", false, strangler.Fail(codes.InvalidArgument, "MALFORMED_REQUEST", "the request is no valid %s; send it encoded by the contract's own messages", call.Operation.Input.FullName()).WithCause(err)
		}
		text := m.Get(id).String() // an unset one is asked for, too: legacy says what is wrong with it
		if key, ok := l.remembered(text); ok {
			return key, true, nil
		}
		request, err := l.entity.Request(text)
		if err != nil {
			return "", false, err
		}
		var found *contract.Payload
		err = l.legacy.Call(ctx, &strangler.Call{Operation: l.entity.Get, Request: request, RequestID: call.RequestID, Header: call.Header, Claims: call.Claims, Client: call.Client, Certificate: call.Certificate}, func(r *strangler.Reply) error {
			found = r.Message
			return nil
		})
		if err != nil {
			return "", false, err
		}
		entity, err := found.Message()
		if err != nil {
			return "", false, err
		}
		key, ok, err := l.key.Of(entity)
		if err == nil && ok {
			l.remember(text, key)
		}
		return key, ok, err
	}
}

func (l *lookup) remembered(id string) (key string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if key, ok = l.now[id]; ok {
		return key, true
	}
	if key, ok = l.last[id]; ok {
		l.put(id, key)
	}
	return key, ok
}

func (l *lookup) remember(id, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(id, key)
}

// put remembers a key. What nobody has asked for since the generation before is forgotten.
func (l *lookup) put(id, key string) {
	if l.now == nil || len(l.now) >= mostRemembered {
		l.now, l.last = make(map[string]string, len(l.now)), l.now
	}
	l.now[id] = key
}
