package conformance

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Format is how events have an entity's message.
type Format string

// The formats: data in protobuf's JSON, or proto in protobuf's bytes.
const (
	JSON     Format = "json"
	Protobuf Format = "protobuf"
)

// Options say what is tried, and where. All but TLS, Format, Write, Grow, Within and Now are needed.
type Options struct {
	// Broker is the address of the virtual host that the service takes its messages from. TLS is for amqps.
	Broker string
	TLS    *tls.Config
	// Service and Capability are the names in banyan.yaml. A service that takes nothing over, and is only told of entities, has no
	// capability, and no Write.
	Service, Capability string
	// Conn is the way to the service.
	Conn grpc.ClientConnInterface
	// Entity is what is told and read.
	Entity Entity
	// States are at least two valid states of one entity, in protobuf's JSON, that differ in more than id and key: the run
	// puts others in their place.
	States []json.RawMessage
	// Format is how the service is told; JSON by default.
	Format Format
	// Write is a live write; nil tries none.
	Write *Write
	// Grow makes the service have more queues while it runs, and returns once that was asked for, before ctx ends; nil doesn't
	// try it. It runs beside what is told meanwhile.
	Grow func(ctx context.Context) error
	// Within bounds each wait for the service, 30 seconds by default.
	Within time.Duration
	// Now is the clock; nil is time.Now. Ids and epochs of a run are made from it, so that runs don't meet.
	Now func() time.Time
}

// Entity says how an entity is read.
type Entity struct {
	Message protoreflect.MessageDescriptor
	// ID is the field that identifies it, a text or a number, and Key the one that its requests are routed by.
	ID, Key protoreflect.FieldDescriptor
	// Get reads one: AskID is the field of its request that takes the id.
	Get   protoreflect.MethodDescriptor
	AskID protoreflect.FieldDescriptor
}

// Write is a live write, which can be made many times.
type Write struct {
	Method protoreflect.MethodDescriptor
	// Request is in protobuf's JSON. Where it has the text ${id}, the write is one of an entity that the run has told, and is tried
	// on many; otherwise it makes an entity, which its reply must be. ${key} stands for a key of the run.
	Request json.RawMessage
}

// onTold says whether the write is one of an entity that was told.
func (w *Write) onTold() bool { return bytes.Contains(w.Request, []byte("${id}")) }

// check gives the options with what was left out, or all that is wrong with them.
func (o Options) check() (Options, error) {
	var wrong []string
	if o.Broker == "" || o.Service == "" || o.Conn == nil {
		wrong = append(wrong, "the broker, the service or the connection is missing")
	}
	if o.Capability == "" && o.Write != nil {
		wrong = append(wrong, "the capability of the write is missing")
	}
	switch o.Format {
	case "":
		o.Format = JSON
	case JSON, Protobuf:
	default:
		wrong = append(wrong, fmt.Sprintf("the format is %q: it is %s or %s", o.Format, JSON, Protobuf))
	}
	e := o.Entity
	switch {
	case e.Message == nil || e.ID == nil || e.Key == nil || e.Get == nil || e.AskID == nil:
		wrong = append(wrong, "of the entity, the message, its id, its key or its Get is missing")
	case e.Get.Output() != e.Message:
		wrong = append(wrong, fmt.Sprintf("%s gives %s, and no %s", e.Get.FullName(), e.Get.Output().FullName(), e.Message.FullName()))
	case e.ID == e.Key:
		wrong = append(wrong, "the entity's id is its key: give it a key of its own, or most promises can't be told apart")
	default:
		for _, fd := range []protoreflect.FieldDescriptor{e.ID, e.Key, e.AskID} {
			if !simple(fd) {
				wrong = append(wrong, fmt.Sprintf("%s is neither a text nor a whole number", fd.FullName()))
			}
		}
	}
	if len(o.States) < 2 {
		wrong = append(wrong, "there are fewer than two states to tell")
	}
	if w := o.Write; w != nil && o.Entity.Message != nil {
		if w.Method == nil || w.Method.IsStreamingClient() || w.Method.IsStreamingServer() {
			wrong = append(wrong, "the write is none, or streams")
		} else if !w.onTold() && w.Method.Output() != o.Entity.Message {
			wrong = append(wrong, fmt.Sprintf("%s gives %s: which entity it makes is not known; choose a write that gives the entity, or one whose request names it by ${id}", w.Method.FullName(), w.Method.Output().FullName()))
		}
	}
	if o.Within <= 0 {
		o.Within = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(wrong) > 0 {
		return o, errors.New(strings.Join(wrong, "; "))
	}
	return o, nil
}

// simple says whether a field is a text or a whole number.
func simple(fd protoreflect.FieldDescriptor) bool {
	if fd.IsList() || fd.IsMap() {
		return false
	}
	switch fd.Kind() {
	case protoreflect.StringKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind,
		protoreflect.Sint32Kind, protoreflect.Sint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind, protoreflect.Sfixed32Kind, protoreflect.Sfixed64Kind:
		return true
	}
	return false
}
