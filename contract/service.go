package contract

import (
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"banyan.dev/banyan/internal/fault"
)

// Field numbers of descriptor.proto and google/api/http.proto, for positions.
const (
	methodOptions     = 4
	idempotencyOption = 34
	clientStreaming   = 5

	httpOption         = 72295728
	ruleBody           = 7
	ruleCustom         = 8
	ruleAdditional     = 11
	ruleResponseBody   = 12
	customPatternPath  = 2
	customPatternVerbs = 1
)

// readService reads a service with those of its RPCs that can be served.
func readService(files sources, sd protoreflect.ServiceDescriptor, faults *fault.List) *Service {
	s := &Service{Descriptor: sd}
	methods := sd.Methods()
	if methods.Len() == 0 {
		faults.Warn(files.pos(sd), "add one, or remove the service", "service %s has no RPC", sd.FullName())
	}
	for i := range methods.Len() {
		md := methods.Get(i)
		if md.IsStreamingClient() {
			faults.Add(files.pos(md, clientStreaming),
				"make the request a single message (a repeated field in it, for many items), or stream only the reply",
				"%s takes a stream of requests, which Banyan does not serve", md.FullName())
			continue
		}
		s.Operations = append(s.Operations, readOperation(files, md, faults))
	}
	return s
}

func readOperation(files sources, md protoreflect.MethodDescriptor, faults *fault.List) *Operation {
	op := &Operation{
		Name:            md.FullName(),
		FullMethod:      "/" + string(md.Parent().FullName()) + "/" + string(md.Name()),
		Descriptor:      md,
		Input:           md.Input(),
		Output:          md.Output(),
		ServerStreaming: md.IsStreamingServer(),
		Pos:             files.pos(md),
	}
	op.Rules = readRules(files, op, faults)
	gets := 0
	for _, r := range op.Rules {
		if r.Method == "GET" {
			gets++
		}
	}
	options, _ := md.Options().(*descriptorpb.MethodOptions)
	noSideEffects := options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
	op.Read = noSideEffects || gets > 0
	if fd := op.Input.Fields().ByName("validate_only"); fd != nil && fd.Kind() == protoreflect.BoolKind && !fd.IsList() && !op.Read {
		op.ValidateOnly = fd
	}
	if noSideEffects && len(op.Rules) > 0 && gets == 0 {
		faults.Warn(files.pos(md, methodOptions, httpOption),
			"add a GET binding, or remove idempotency_level if it does change something",
			"%s has no side effects, but HTTP clients can't tell: none of its rules is a GET", md.FullName())
	}
	if options.GetIdempotencyLevel() == descriptorpb.MethodOptions_IDEMPOTENT && gets > 0 {
		faults.Warn(files.pos(md, methodOptions, idempotencyOption),
			"use NO_SIDE_EFFECTS for a read; a write needs POST, PUT, PATCH or DELETE",
			"%s is IDEMPOTENT, which says that it writes, but has a GET rule: it is served as a read", md.FullName())
	}
	return op
}
