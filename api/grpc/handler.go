package grpc

import (
	"context"
	"crypto/x509"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// handler answers the calls of all services.
type handler struct {
	edge            *edge.Edge
	refused         func(*strangler.Error)
	maxRequestBytes int
	receiveTimeout  time.Duration
	// late is why a call ends whose request takes longer.
	late *strangler.Error
	// notices are what answers say of deprecated versions.
	notices map[*contract.Operation]metadata.MD
}

// describe makes what gRPC needs to route a service's calls here.
func (h handler) describe(s *contract.Service) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{
		ServiceName: string(s.Descriptor.FullName()),
		Metadata:    s.Descriptor.ParentFile().Path(),
	}
	for _, op := range s.Operations {
		notice := h.notices[op]
		name := string(op.Descriptor.Name())
		if op.ServerStreaming {
			desc.Streams = append(desc.Streams, grpc.StreamDesc{
				StreamName: name, ServerStreams: true,
				Handler: func(_ any, stream grpc.ServerStream) error { return h.stream(op, notice, stream) },
			})
			continue
		}
		desc.Methods = append(desc.Methods, grpc.MethodDesc{
			MethodName: name,
			Handler: func(_ any, ctx context.Context, decode func(any) error, in grpc.UnaryServerInterceptor) (any, error) {
				return h.unary(ctx, op, notice, decode, in)
			},
		})
	}
	return desc
}

func (h handler) unary(ctx context.Context, op *contract.Operation, notice metadata.MD, decode func(any) error, in grpc.UnaryServerInterceptor) (any, error) {
	request := &frame{}
	if err := h.receive(ctx, func() error { return decode(request) }); err != nil {
		return nil, err
	}
	answer := func(ctx context.Context, req any) (any, error) {
		request, ok := req.(*frame)
		if !ok {
			return nil, status.Errorf(codes.Internal, "an interceptor replaced the request by a %T", req)
		}
		call := newCall(ctx, op, request)
		reply := &frame{}
		if notice != nil {
			// A header that can't be set belongs to a call that has ended: nobody reads it.
			_ = grpc.SetHeader(ctx, notice)
		}
		err := h.edge.Call(ctx, call, func(_ *contract.Payload, wire []byte) error {
			reply.bytes = wire
			return nil
		})
		// The id goes back to who named one, and with a failure, whose cause the log has under it. A header
		// with every reply would make a point read several percent dearer.
		if err != nil || len(call.Header(edge.RequestIDHeader)) > 0 {
			// A header that can't be set belongs to a call that has ended: nobody reads it.
			_ = grpc.SetHeader(ctx, metadata.MD{edge.RequestIDHeader: {call.RequestID}})
		}
		if err != nil {
			return nil, err.GRPCStatus().Err()
		}
		return reply, nil
	}
	if in == nil {
		return answer(ctx, request)
	}
	return in(ctx, request, &grpc.UnaryServerInfo{FullMethod: op.FullMethod}, answer)
}

func (h handler) stream(op *contract.Operation, notice metadata.MD, stream grpc.ServerStream) error {
	request := &frame{}
	ctx := stream.Context()
	if err := h.receive(ctx, func() error { return stream.RecvMsg(request) }); err != nil {
		return err
	}
	call := newCall(ctx, op, request)
	_ = stream.SetHeader(metadata.Join(notice, metadata.MD{edge.RequestIDHeader: {call.RequestID}}))
	err := h.edge.Call(ctx, call, func(_ *contract.Payload, wire []byte) error {
		if err := stream.SendMsg(&frame{bytes: wire}); err != nil {
			return unsent(ctx, err)
		}
		return nil
	})
	if err != nil {
		return err.GRPCStatus().Err()
	}
	return nil
}

// received makes an error of receiving a request the one that REST gives too. (Unary requests that are too large don't
// come here: gRPC refuses them before, with the same code.)
func (h handler) received(err error) error {
	if status.Code(err) == codes.ResourceExhausted {
		return h.refuse(edge.TooLarge(h.maxRequestBytes).WithCause(err))
	}
	return err
}

func newCall(ctx context.Context, op *contract.Operation, request *frame) *strangler.Call {
	header := func(name string) []string { return metadata.ValueFromIncomingContext(ctx, name) }
	given := ""
	if ids := header(edge.RequestIDHeader); len(ids) > 0 {
		given = ids[0]
	}
	return &strangler.Call{
		Operation:   op,
		Request:     contract.FromWire(op.Input, request.bytes),
		RequestID:   edge.RequestID(given),
		Header:      header,
		Certificate: certificate(ctx),
		// A header that can't be set belongs to a call that has ended: nobody reads it.
		SetHeader: func(name, value string) { _ = grpc.SetHeader(ctx, metadata.Pairs(name, value)) },
	}
}

// certificate gives the caller's certificate, if the transport has verified one.
func certificate(ctx context.Context) *x509.Certificate {
	p, ok := peer.FromContext(ctx)
	if !ok || p.AuthInfo == nil {
		return nil
	}
	if secured, ok := p.AuthInfo.(credentials.TLSInfo); ok && len(secured.State.VerifiedChains) > 0 {
		return secured.State.VerifiedChains[0][0]
	}
	return nil
}

// unknownMethod answers calls of what the contract does not have.
func (h handler) unknownMethod(_ any, stream grpc.ServerStream) error {
	name, _ := grpc.MethodFromServerStream(stream)
	return h.refuse(strangler.Fail(codes.Unimplemented, "METHOD_NOT_FOUND",
		"there is no method %s here; ask the server's reflection for what there is", name))
}

// refuse answers what never became a call: no Backend can count it.
func (h handler) refuse(err *strangler.Error) error {
	h.refused(err)
	return err.GRPCStatus().Err()
}
