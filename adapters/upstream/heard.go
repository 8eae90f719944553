package upstream

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc/stats"
)

// heard is what went over the wire for a call. gRPC's errors don't tell who made them: a service may answer a write with
// PERMISSION_DENIED, and so does gRPC itself where a proxy says 403, or where a stream is reset for one of several causes.
// Only the first has trailers.
type heard struct {
	// sent says that a try, not only the last one, has left here.
	sent atomic.Bool
	// headers and trailers say what has arrived for the last try. An answer that has a message has headers.
	headers, trailers atomic.Bool
}

type heardKey struct{}

// listen gives a context whose call is heard.
func listen(ctx context.Context) (context.Context, *heard) {
	h := &heard{}
	return context.WithValue(ctx, heardKey{}, h), h
}

// listener tells each call's heard. The transport calls it before it hands over what has arrived.
type listener struct{}

// TagRPC implements stats.Handler.
func (listener) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (listener) HandleRPC(ctx context.Context, event stats.RPCStats) {
	h, ok := ctx.Value(heardKey{}).(*heard)
	if !ok {
		return
	}
	switch event.(type) {
	case *stats.Begin: // of a try
		h.headers.Store(false)
		h.trailers.Store(false)
	case *stats.OutHeader:
		h.sent.Store(true)
	case *stats.InHeader:
		h.headers.Store(true)
	case *stats.InTrailer:
		h.trailers.Store(true)
	}
}

// TagConn implements stats.Handler.
func (listener) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (listener) HandleConn(context.Context, stats.ConnStats) {}
