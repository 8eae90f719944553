package upstream

import (
	"context"
	"errors"
	"io"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler"
)

// Call implements strangler.Backend. Only reads are sent twice, and what the service
// is known not to have begun.
func (u *Upstream) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	wire, err := call.Request.Wire()
	if err != nil {
		return strangler.Invalid("request", "it can't be encoded; send texts as UTF-8").WithCause(err)
	}
	out, heard := listen(metadata.NewOutgoingContext(ctx, tell(call)))
	c := conversation{Upstream: u, call: call, ctx: ctx, heard: heard, send: send}
	if call.Operation.ServerStreaming {
		return c.stream(out, &frame{wire})
	}
	return c.unary(out, &frame{wire})
}

// conversation is one call.
type conversation struct {
	*Upstream
	call  *strangler.Call
	ctx   context.Context
	heard *heard
	send  func(*strangler.Reply) error
}

func (c *conversation) unary(ctx context.Context, request *frame) error {
	var reply frame
	if err := c.conn.Invoke(ctx, c.call.Operation.FullMethod, request, &reply, c.options...); err != nil {
		return c.failure(err)
	}
	return c.pass(reply.bytes)
}

func (c *conversation) stream(ctx context.Context, request *frame) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // frees the stream, wherever it ends
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, c.call.Operation.FullMethod, c.options...)
	if err != nil {
		return c.failure(err)
	}
	// io.EOF says that the stream has ended already: receiving says why.
	if err := stream.SendMsg(request); err != nil && !errors.Is(err, io.EOF) {
		return c.failure(err)
	}
	if err := stream.CloseSend(); err != nil {
		return c.failure(err)
	}
	for {
		var reply frame
		err := stream.RecvMsg(&reply)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return c.failure(err)
		}
		if err := c.pass(reply.bytes); err != nil {
			return err
		}
	}
}

func (c *conversation) pass(wire []byte) error {
	return c.send(&strangler.Reply{Message: contract.FromWire(c.call.Operation.Output, wire)})
}

// forwarded are the caller's headers that a service gets (W3C Trace Context). Others may be secrets that are meant for
// the facade.
var forwarded = []string{"traceparent", "tracestate"}

// longestForwarded bounds a forwarded header.
const longestForwarded = 2048

// tell gives the metadata of a call.
func tell(call *strangler.Call) metadata.MD {
	md := metadata.MD{}
	if call.RequestID != "" && printable(call.RequestID) {
		md[protocol.MetadataRequest] = []string{call.RequestID}
	}
	if call.Write.ID != "" {
		md[protocol.MetadataWrite] = []string{call.Write.ID}
		md[protocol.MetadataEpoch] = []string{strconv.FormatUint(call.Write.Epoch, 10)}
	}
	if call.Header == nil {
		return md
	}
	for _, name := range forwarded {
		for _, value := range call.Header(name) {
			if len(value) <= longestForwarded && printable(value) {
				md[name] = append(md[name], value)
			}
		}
	}
	return md
}

// printable says whether gRPC takes text as a header's value: it fails calls with others.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
