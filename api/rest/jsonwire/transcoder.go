package jsonwire

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
)

// Resolver finds the types of messages in an Any, and extensions.
type Resolver interface {
	protoregistry.MessageTypeResolver
	protoregistry.ExtensionTypeResolver
}

// Options say how JSON is written; they mean what they mean in protojson.MarshalOptions.
type Options struct {
	// OmitUnpopulated leaves out fields that have their default value.
	OmitUnpopulated bool
	// UseProtoNames writes field names as in the .proto file instead of in lowerCamelCase.
	UseProtoNames bool
}

// Transcoder makes and keeps the plans of messages. It is safe for concurrent use.
type Transcoder struct {
	opts     Options
	fallback protojson.MarshalOptions
	resolver Resolver

	mu    sync.Mutex
	plans map[protoreflect.MessageDescriptor]*Message

	states sync.Pool // of *state
}

// New makes a Transcoder. resolver is used for what is in an Any.
func New(resolver Resolver, opts Options) *Transcoder {
	return &Transcoder{
		opts: opts,
		fallback: protojson.MarshalOptions{
			EmitUnpopulated: !opts.OmitUnpopulated, UseProtoNames: opts.UseProtoNames, Resolver: resolver, AllowPartial: true,
		},
		resolver: resolver,
		plans:    map[protoreflect.MessageDescriptor]*Message{},
		states:   sync.Pool{New: func() any { return &state{} }},
	}
}

// Message gives the plan of a message and of all that it can hold. Ask once and keep it.
func (t *Transcoder) Message(md protoreflect.MessageDescriptor) *Message {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.plan(md)
}

// Append appends the JSON form of the message whose wire form is given. It fails where decoding the wire form or
// writing it with protojson would, and then gives b as it was.
func (m *Message) Append(b, wire []byte) ([]byte, error) {
	st := m.acquire()
	defer m.release(st)
	out, err := m.append(st, b, wire)
	if err != nil {
		return b, fmt.Errorf("%s as JSON: %w", m.desc.FullName(), err)
	}
	return out, nil
}

// AppendField appends the JSON form of one field of the message. An unset message field is null.
func (m *Message) AppendField(b, wire []byte, fd protoreflect.FieldDescriptor) ([]byte, error) {
	st := m.acquire()
	defer m.release(st)
	out, err := m.appendField(st, b, wire, fd)
	if err != nil {
		return b, fmt.Errorf("%s as JSON: %w", fd.FullName(), err)
	}
	return out, nil
}

func (m *Message) appendField(st *state, b, wire []byte, fd protoreflect.FieldDescriptor) ([]byte, error) {
	if m.write == nil {
		out, err := m.appendScanned(st, b, wire, fd.Index())
		if !errors.Is(err, errOdd) {
			return out, err
		}
	}
	whole, err := m.viaMessage(nil, wire)
	if err != nil {
		return b, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(whole, &members); err != nil {
		return b, err
	}
	f := &m.fields[fd.Index()]
	if v, ok := members[f.name]; ok {
		return append(b, v...), nil
	}
	return append(b, f.zero...), nil
}

func (m *Message) appendScanned(st *state, b, wire []byte, index int) ([]byte, error) {
	base, err := m.scan(st, wire)
	if err != nil {
		return b, err
	}
	f, sp := &m.fields[index], st.spans[base+index]
	if !sp.seen {
		return append(b, f.zero...), nil
	}
	return f.append(st, b, wire[sp.start:sp.end])
}

// viaMessage decodes the message and writes it with protojson.
func (m *Message) viaMessage(b, wire []byte) ([]byte, error) {
	msg := dynamicpb.NewMessage(m.desc)
	if err := contract.Unmarshal(proto.UnmarshalOptions{Resolver: m.owner.resolver}, wire, msg); err != nil {
		return b, err
	}
	out, err := m.owner.fallback.MarshalAppend(b, msg)
	if err != nil {
		return b, err
	}
	return out, nil
}

// state is the scratch of one Append.
type state struct {
	spans   []span
	entries []entry
	depth   int
}

func (m *Message) acquire() *state {
	st, _ := m.owner.states.Get().(*state)
	return st
}

func (m *Message) release(st *state) {
	clear(st.entries[:cap(st.entries)]) // they point into wire forms
	st.spans, st.entries, st.depth = st.spans[:0], st.entries[:0], 0
	m.owner.states.Put(st)
}
