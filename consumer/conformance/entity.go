package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/protocol"
)

// told is an entity of the run.
type told struct {
	id, key string
}

// firstNumber is less than the ids of the run where they are numbers: they fit into 32 bits, and lie above most others.
const firstNumber = 900_000_000

// mostEntities is how many ids a run may have where they are numbers.
const mostEntities = 100

// fresh gives an entity that nobody knows, of a key of its own or of another's.
func (r *rig) fresh(key ...string) told {
	r.entities++
	t := told{id: r.name(r.Entity.ID, r.entities)}
	if len(key) > 0 {
		t.key = key[0]
	} else {
		t.key = r.name(r.Entity.Key, r.entities)
	}
	return t
}

func (r *rig) name(fd protoreflect.FieldDescriptor, n int) string {
	if fd.Kind() == protoreflect.StringKind {
		return fmt.Sprintf("conformance-%d-%d", r.run, n)
	}
	return strconv.FormatInt(firstNumber+(r.run*mostEntities+int64(n))%(mostEntities*1_000_000), 10)
}

// state gives number n of the states as that of an entity.
func (r *rig) state(t told, n int) (*dynamicpb.Message, error) {
	m := dynamicpb.NewMessage(r.Entity.Message)
	text := r.States[n%len(r.States)]
	if err := (protojson.UnmarshalOptions{}).Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("state %d is no %s: %w", n+1, r.Entity.Message.FullName(), err)
	}
	if err := set(m, r.Entity.ID, t.id); err != nil {
		return nil, err
	}
	return m, set(m, r.Entity.Key, t.key)
}

// set sets a simple field.
func set(m *dynamicpb.Message, fd protoreflect.FieldDescriptor, text string) error {
	if fd.Kind() == protoreflect.StringKind {
		m.Set(fd, protoreflect.ValueOfString(text))
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s can't be %q: %w", fd.FullName(), text, err)
	}
	switch fd.Kind() {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		m.Set(fd, protoreflect.ValueOfInt32(int32(n))) //nolint:gosec // the run's numbers fit
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		m.Set(fd, protoreflect.ValueOfUint32(uint32(n))) //nolint:gosec // see above
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		m.Set(fd, protoreflect.ValueOfUint64(uint64(n))) //nolint:gosec // see above
	default:
		m.Set(fd, protoreflect.ValueOfInt64(n))
	}
	return nil
}

// version gives the next version, in an epoch of the log's.
func (r *rig) version(epoch int) string {
	r.versions++
	return versionAt(epoch, r.versions)
}

func versionAt(epoch, n int) string { return fmt.Sprintf("%04x-%08x-%012x-%08x", epoch, 1, n, 1) }

// event gives a newer event that an entity has state n; a deletion where n is negative.
func (r *rig) event(t told, origin protocol.Origin, n int) (protocol.EntityEvent, error) {
	e := protocol.EntityEvent{Entity: string(r.Entity.Message.FullName()), ID: t.id, Key: t.key, Origin: origin, Version: r.version(1)}
	e.Event = fmt.Sprintf("0-%d-%d:1:%s/%s", r.run, r.versions, e.Entity, e.ID)
	if n < 0 {
		e.Deleted, e.Key = true, ""
		return e, nil
	}
	m, err := r.state(t, n)
	if err != nil {
		return e, err
	}
	return e, r.carry(&e, m)
}

// carry makes an event one of a message, in the service's format.
func (r *rig) carry(e *protocol.EntityEvent, m proto.Message) (err error) {
	if r.Format == Protobuf {
		e.Data = nil
		if e.Proto, err = proto.Marshal(m); err != nil {
			return fmt.Errorf("write a state as protobuf's bytes: %w", err)
		}
		return nil
	}
	if e.Data, err = protojson.Marshal(m); err != nil {
		return fmt.Errorf("write a state as JSON: %w", err)
	}
	return nil
}

// unknown gives an event with a field that the contract doesn't have.
func (r *rig) unknown(t told, n int) (protocol.EntityEvent, error) {
	e, err := r.event(t, protocol.OriginLegacy, n)
	if err != nil {
		return e, err
	}
	if r.Format == Protobuf {
		e.Proto = protowire.AppendVarint(protowire.AppendTag(e.Proto, r.unusedNumber(), protowire.VarintType), 1)
		return e, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &fields); err != nil {
		return e, fmt.Errorf("read a state as JSON: %w", err)
	}
	fields["banyanConformanceUnknown"] = json.RawMessage("1")
	e.Data, err = json.Marshal(fields)
	return e, err
}

// unusedNumber is one that no field of the entity has.
func (r *rig) unusedNumber() protowire.Number {
	n := protowire.Number(15) // the greatest whose tag is one byte
	for r.Entity.Message.Fields().ByNumber(n) != nil || r.Entity.Message.ReservedRanges().Has(n) {
		n++
	}
	return n
}

// get reads an entity; nil when there is none. A service that can't answer for a moment is asked again.
func (r *rig) get(ctx context.Context, id string) (*dynamicpb.Message, error) {
	request := dynamicpb.NewMessage(r.Entity.Get.Input())
	if err := set(request, r.Entity.AskID, id); err != nil {
		return nil, err
	}
	reply := dynamicpb.NewMessage(r.Entity.Message)
	err := r.call(ctx, r.Entity.Get, request, reply)
	if status.Code(err) == codes.NotFound {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, fmt.Errorf("%s of %q gives %w", r.Entity.Get.Name(), id, err)
	}
	return reply, nil
}

func (r *rig) call(ctx context.Context, method protoreflect.MethodDescriptor, request, reply proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, r.Within)
	defer cancel()
	for {
		err := r.Conn.Invoke(ctx, fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name()), request, reply)
		if code := status.Code(err); code != codes.Unavailable && code != codes.Aborted || ctx.Err() != nil {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// shows says what is wrong when an entity is not in state n; that it is there at all when n is negative.
func (r *rig) shows(ctx context.Context, t told, n int, when string) error {
	got, err := r.get(ctx, t.id)
	if err != nil {
		return err
	}
	if n < 0 {
		if got != nil {
			return fmt.Errorf("%s, %s %q should not be there, and is %s", when, r.Entity.Message.Name(), t.id, brief(got))
		}
		return nil
	}
	want, err := r.state(t, n)
	if err != nil {
		return err
	}
	if got == nil {
		return fmt.Errorf("%s, %s %q is not there; it should be %s", when, r.Entity.Message.Name(), t.id, brief(want))
	}
	if !proto.Equal(got, want) {
		return fmt.Errorf("%s, %s %q is %s; it should be %s", when, r.Entity.Message.Name(), t.id, brief(got), brief(want))
	}
	return nil
}

// brief gives a message for people.
func brief(m proto.Message) string {
	text, err := protojson.Marshal(m)
	if err != nil {
		return err.Error()
	}
	const most = 300
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// sound says what is wrong with the states and the write's request.
func (r *rig) sound() error {
	t := told{id: r.name(r.Entity.ID, 0), key: r.name(r.Entity.Key, 0)}
	first, err := r.state(t, 0)
	if err != nil {
		return err
	}
	for n := 1; n < len(r.States); n++ {
		next, err := r.state(t, n)
		if err != nil {
			return err
		}
		if n == 1 && proto.Equal(first, next) {
			return fmt.Errorf("the first two states differ in nothing but id and key: what of one is applied can't be told from the other")
		}
	}
	if r.Write == nil {
		return nil
	}
	return (&once{on: t}).prepare(r)
}
