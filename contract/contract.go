package contract

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/fault"
)

// Contract is all that a team's .proto files declare. It does not change once loaded and is safe for concurrent use.
type Contract struct {
	// Files resolves every file, message, enum and service, those of imported Google packages too.
	Files Resolver
	// Types resolves messages by name, for Any, reflection and JSON.
	Types *dynamicpb.Types
	// Versions are the packages that declare services, by name.
	Versions []*Version
	// Sources are the files of the roots, but for copies of Google's, in the order of their paths.
	Sources []protoreflect.FileDescriptor

	files      sources
	operations map[protoreflect.FullName]*Operation
}

// Version is one proto package with services, such as shop.v2.
type Version struct {
	Package  protoreflect.FullName
	Services []*Service
}

// Service is one service of a version.
type Service struct {
	Descriptor protoreflect.ServiceDescriptor
	Operations []*Operation
}

// Operation is one RPC of the contract.
type Operation struct {
	// Name is the full name with dots: shop.v2.OrderService.GetOrder.
	Name protoreflect.FullName
	// FullMethod is the name as gRPC writes it: /shop.v2.OrderService/GetOrder.
	FullMethod string
	Descriptor protoreflect.MethodDescriptor
	Input      protoreflect.MessageDescriptor
	Output     protoreflect.MessageDescriptor
	// Read says that the operation changes nothing: idempotency_level = NO_SIDE_EFFECTS, or its HTTP rules are GET.
	Read bool
	// ValidateOnly is the field of a write's Input by which a caller asks what would happen (AIP-163): `bool validate_only`;
	// nil when there is none.
	ValidateOnly protoreflect.FieldDescriptor
	// ServerStreaming says that a reply is a stream of Output.
	ServerStreaming bool
	// Rules are the http rule and its additional bindings, in order; empty when the operation is served over gRPC only.
	Rules []Rule
	// Pos is where the RPC is declared.
	Pos fault.Pos
}

// Rule is one binding of an operation to HTTP (google.api.HttpRule).
type Rule struct {
	// Method is the HTTP verb: GET, PUT, POST, DELETE, PATCH, or a custom kind.
	Method string
	// Template is the path template: /v2/{name=shops/*/orders/*}:cancel.
	Template string
	// Body is "" (no body), "*" (the whole request) or the name of a request field.
	Body string
	// ResponseBody is "" (the whole reply) or the name of a reply field.
	ResponseBody string
}

// Validates says whether a request asks a write only to say what would happen. A request that can't be decoded doesn't.
func (op *Operation) Validates(request *Payload) bool {
	if op.ValidateOnly == nil {
		return false
	}
	m, err := request.Message()
	return err == nil && m.Get(op.ValidateOnly).Bool()
}

// Operation finds an operation by its full name with dots; nil when there is none.
func (c *Contract) Operation(name protoreflect.FullName) *Operation { return c.operations[name] }

// Operations gives every operation, in the order of the files.
func (c *Contract) Operations() []*Operation {
	var out []*Operation
	for _, v := range c.Versions {
		for _, s := range v.Services {
			out = append(out, s.Operations...)
		}
	}
	return out
}

// Pos gives the place of a declaration in a file of the roots, or of the part of it under the further path
// (descriptor.proto, SourceCodeInfo); where that has no place of its own, of what is around it.
func (c *Contract) Pos(d protoreflect.Descriptor, further ...int32) fault.Pos {
	if file, ok := d.(protoreflect.FileDescriptor); ok {
		return c.files.top(file, further...)
	}
	return c.files.pos(d, further...)
}

// Message finds a message by its full name; nil when there is none.
func (c *Contract) Message(name protoreflect.FullName) protoreflect.MessageDescriptor {
	d, err := c.Files.FindDescriptorByName(name)
	if err != nil {
		return nil
	}
	m, _ := d.(protoreflect.MessageDescriptor)
	return m
}

// Enum finds an enum by its full name; nil when there is none.
func (c *Contract) Enum(name protoreflect.FullName) protoreflect.EnumDescriptor {
	d, err := c.Files.FindDescriptorByName(name)
	if err != nil {
		return nil
	}
	e, _ := d.(protoreflect.EnumDescriptor)
	return e
}

// Resolver finds files and descriptors by name, as protodesc.Resolver does.
type Resolver interface {
	FindFileByPath(path string) (protoreflect.FileDescriptor, error)
	FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error)
}
