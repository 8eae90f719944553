package contract

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Payload is one message on its way: as wire bytes, as a dynamic message, or as both, each made from the other only
// when it is asked for. So rows can go to the wire without an intermediate message, and bytes from an upstream can
// pass through without decoding.
//
// A Payload is immutable to its readers: neither the bytes nor the message that it gives may be changed. It is not
// safe for concurrent use until both forms have been asked for.
type Payload struct {
	desc protoreflect.MessageDescriptor
	wire []byte
	msg  protoreflect.Message
}

// FromWire takes over b, the wire form of a message of type desc. The bytes are not checked until Message is called.
func FromWire(desc protoreflect.MessageDescriptor, b []byte) *Payload {
	if b == nil {
		b = []byte{}
	}
	return &Payload{desc: desc, wire: b}
}

// FromMessage takes over m.
func FromMessage(m protoreflect.Message) *Payload {
	return &Payload{desc: m.Descriptor(), msg: m}
}

// Descriptor gives the type of the message.
func (p *Payload) Descriptor() protoreflect.MessageDescriptor { return p.desc }

// HasWire tells whether the wire form is there already.
func (p *Payload) HasWire() bool { return p.wire != nil }

// Wire gives the binary form. It fails when a string field holds invalid UTF-8.
func (p *Payload) Wire() ([]byte, error) {
	if p.wire == nil {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.msg.Interface())
		if err != nil {
			return nil, err
		}
		if b == nil {
			b = []byte{}
		}
		p.wire = b
	}
	return p.wire, nil
}

// Message gives the message. It fails when the wire form can't be decoded as its type.
func (p *Payload) Message() (protoreflect.Message, error) {
	if p.msg == nil {
		m := dynamicpb.NewMessage(p.desc)
		// Merging into the new message spares it being made a second time, empty as it is. Nothing has to be looked for
		// that is missing: Load refuses required fields.
		if err := Unmarshal(proto.UnmarshalOptions{Merge: true, AllowPartial: true}, p.wire, m); err != nil {
			return nil, err
		}
		p.msg = m
	}
	return p.msg, nil
}

// Unmarshal decodes b into m, as opts.Unmarshal does but without its panics: for dynamic messages, a map entry with a
// good key followed by a key of another wire type makes it panic, and bytes come from anyone.
func Unmarshal(opts proto.UnmarshalOptions, b []byte, m proto.Message) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoding %s: %v", m.ProtoReflect().Descriptor().FullName(), p)
		}
	}()
	return opts.Unmarshal(b, m)
}
