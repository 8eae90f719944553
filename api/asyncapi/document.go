package asyncapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/protocol"
)

// Options are what a document tells of.
type Options struct {
	// Title names the project's mirror.
	Title string
	// Servers are where messages are to be had, without anybody's account.
	Servers []Server
	// Exchange is the topic exchange of row events; empty: there is none.
	Exchange string
	// History is the stream that keeps row events; empty: none does. Native says that RabbitMQ's stream protocol is meant.
	History string
	Native  bool
	// Services are told of entities.
	Services []Service
	// Partitions is how many there are in a service's exchange.
	Partitions int
}

// Server is a broker.
type Server struct {
	// Name is the server's in the document, Host its host and port, VHost the virtual host.
	Name, Host, VHost string
	// Protocol is amqp, amqps, rabbitmq-stream or rabbitmq-stream+tls.
	Protocol string
}

// Service is a new service that is told of entities.
type Service struct {
	Name string
	// Exchange is its own.
	Exchange string
	Entities []protoreflect.MessageDescriptor
}

// specVersion is the version of the specification that documents are written in.
const specVersion = "3.0.0"

// object is a JSON object. Its members are written in the order of their names.
type object map[string]any

// Document gives the AsyncAPI document, as indented JSON. It is the same for the same options.
func Document(o Options) ([]byte, error) {
	b := builder{o: o, channels: object{}, operations: object{}, messages: object{}, schemas: object{}}
	if err := b.build(); err != nil {
		return nil, fmt.Errorf("describe events: %w", err)
	}
	doc := object{
		"asyncapi": specVersion,
		"info": object{
			"title": o.Title, "version": "1.0.0",
			"description": "What is committed in the legacy database, as events in RabbitMQ. Messages are CloudEvents 1.0 in the AMQP binding's binary mode, at least once; versions order them, as texts.",
		},
		"defaultContentType": contentType,
		"servers":            b.servers(), "channels": b.channels, "operations": b.operations,
		"components": object{
			"messages": b.messages, "schemas": b.schemas,
			"securitySchemes": object{"account": object{"type": "userPassword", "description": "An account of the broker."}},
		},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("describe events: %w", err)
	}
	return out.Bytes(), nil
}

const contentType = "application/json"

// builder makes one document.
type builder struct {
	o                                       Options
	channels, operations, messages, schemas object
}

func (b *builder) build() error {
	b.headers()
	if b.o.Exchange != "" || b.o.History != "" {
		b.rows()
	}
	if len(b.o.Services) == 0 {
		return nil
	}
	return b.services()
}

func (b *builder) servers() object {
	out := object{}
	for _, s := range b.o.Servers {
		server := object{"host": s.Host, "protocol": s.Protocol, "pathname": "/" + strings.ReplaceAll(s.VHost, "/", "%2F"), "security": []any{ref("securitySchemes", "account")}}
		if strings.HasPrefix(s.Protocol, "amqp") {
			server["protocolVersion"] = "0.9.1"
		}
		out[s.Name] = server
	}
	return out
}

// on refers to the servers of protocols that begin so.
func (b *builder) on(protocol string) []any {
	var out []any
	for _, s := range b.o.Servers {
		if strings.HasPrefix(s.Protocol, protocol) {
			out = append(out, object{"$ref": "#/servers/" + s.Name})
		}
	}
	return out
}

// add puts a channel there, with messages by name, and an operation that sends all of them.
func (b *builder) add(name string, channel object, messages []string, operation string, more object) {
	of, sent := object{}, []any{}
	for _, m := range messages {
		of[m] = ref("messages", m)
		sent = append(sent, object{"$ref": "#/channels/" + pointer(name) + "/messages/" + pointer(m)})
	}
	channel["messages"] = of
	b.channels[name] = channel
	if operation == "" {
		return
	}
	op := object{"action": "send", "channel": object{"$ref": "#/channels/" + pointer(name)}, "messages": sent}
	for key, value := range more {
		op[key] = value
	}
	b.operations[operation] = op
}

// message puts a message there, of a CloudEvents type.
func (b *builder) message(name, kind, title, summary, headers string, payload any) {
	b.messages[name] = object{
		"name": kind, "title": title, "summary": summary, "contentType": contentType,
		"headers": ref("schemas", headers), "payload": payload,
		"bindings": object{"amqp": object{"contentEncoding": "utf-8", "messageType": kind, "bindingVersion": amqpBinding}},
	}
}

// amqpBinding is the version of the AMQP 0-9-1 bindings.
const amqpBinding = "0.3.0"

func (b *builder) vhost() string {
	for _, s := range b.o.Servers {
		if strings.HasPrefix(s.Protocol, "amqp") {
			return s.VHost
		}
	}
	return "/"
}

func (b *builder) exchange(name, kind string) object {
	return object{"amqp": object{
		"is": "routingKey", "bindingVersion": amqpBinding,
		"exchange": object{"name": name, "type": kind, "durable": true, "autoDelete": false, "vhost": b.vhost()},
	}}
}

func (b *builder) queue(name string) object {
	return object{"amqp": object{
		"is": "queue", "bindingVersion": amqpBinding,
		"queue": object{"name": name, "durable": true, "exclusive": false, "autoDelete": false, "vhost": b.vhost()},
	}}
}

// ref refers to a component.
func ref(of, name string) object { return object{"$ref": "#/components/" + of + "/" + pointer(name)} }

// pointer writes a name as a JSON pointer has it (RFC 6901).
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// services describes the services' exchanges, with the messages of their entities.
func (b *builder) services() error {
	var all []protoreflect.MessageDescriptor
	for _, s := range b.o.Services {
		all = append(all, s.Entities...)
	}
	schemas, err := openapi.Schemas(all)
	if err != nil {
		return err
	}
	for name, schema := range schemas {
		b.schemas[name] = schema
	}
	b.fences()
	partitions := make([]any, b.o.Partitions)
	for i := range partitions {
		partitions[i] = strings.TrimPrefix(protocol.RoutingKey(i), "partition.")
	}
	for _, s := range b.o.Services {
		names := []string{}
		for _, entity := range slices.SortedFunc(slices.Values(s.Entities), func(x, y protoreflect.MessageDescriptor) int {
			return strings.Compare(string(x.FullName()), string(y.FullName()))
		}) {
			names = append(names, b.entity(entity))
		}
		channel := object{
			"address": "partition.{partition}", "title": "What " + s.Name + " is told",
			"description": "The exchange of the service " + s.Name + ". It declares its queues and binds them, with one active consumer each. A message that no queue takes stops its stream.",
			"servers":     b.on("amqp"), "bindings": b.exchange(s.Exchange, "direct"),
			"parameters": object{"partition": object{"description": "By the key of what a message is about.", "enum": partitions}},
		}
		b.add("service."+s.Name, channel, append(slices.Clone(names), protocol.TypeFence), "", nil)
		at := "#/channels/" + pointer("service."+s.Name)
		var sent []any
		for _, name := range names {
			sent = append(sent, object{"$ref": at + "/messages/" + pointer(name)})
		}
		if len(sent) > 0 {
			b.operations["tell."+s.Name] = object{
				"action": "send", "channel": object{"$ref": at}, "messages": sent, "summary": "States of entities, after each transaction that changed them.",
			}
		}
		b.operations["fence."+s.Name] = object{
			"action": "send", "channel": object{"$ref": at}, "messages": []any{object{"$ref": at + "/messages/" + pointer(protocol.TypeFence)}},
			"summary": "Asks the service to answer once it has applied all before.",
			"reply": object{
				"address":  object{"location": "$message.header#/reply_to", "description": "The AMQP property reply_to, through the default exchange, with the correlation_id of the fence."},
				"channel":  object{"$ref": "#/channels/answers"},
				"messages": []any{object{"$ref": "#/channels/answers/messages/answer"}},
			},
		}
	}
	return nil
}

// entity puts the message of an entity's state there, and gives its name.
func (b *builder) entity(md protoreflect.MessageDescriptor) string {
	full := string(md.FullName())
	name := "entity." + full
	b.message(name, protocol.TypeEntity, string(md.Name()), "The state of a "+string(md.Name())+" in legacy, or that there is none.", entityHeaders, entitySchema(full))
	return name
}
