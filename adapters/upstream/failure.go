package upstream

import (
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/strangler"
)

// lastFailure is the text of the last failure to reach the service.
type lastFailure struct {
	mu   sync.Mutex
	text string
}

func (l *lastFailure) set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = text
}

func (l *lastFailure) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// local are the beginnings of what gRPC says by itself with codes that a service would use to refuse: the call may have
// been carried out all the same.
var local = []string{
	"grpc: received message larger than max", "grpc: failed to unmarshal", "grpc: error while marshaling", "grpc: error unmarshalling",
	"grpc: failed to decompress", "cardinality violation", "grpc: received message after decompression larger than max",
}

// failed gives an error as callers see it. What the service says is theirs as it is. What gRPC says of a connection or of a
// reply has no code by which a service refuses, since the call may have been carried out.
func (u *Upstream) failed(ctx context.Context, err error) error {
	st, ok := status.FromError(err)
	if !ok {
		return strangler.AsError(err)
	}
	for _, text := range local {
		if strings.HasPrefix(st.Message(), text) {
			return strangler.Fail(codes.Internal, "UPSTREAM_REPLY", "the reply of the service %s can't be taken; whether it has done what was asked is not known", u.options.Service).WithCause(err)
		}
	}
	switch st.Code() {
	case codes.Unavailable:
		if len(st.Details()) == 0 {
			u.last.set(st.Message())
			return strangler.Fail(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "the service %s can't be reached at present; try again", u.options.Service).WithCause(err).WithRetry(time.Second)
		}
	case codes.DeadlineExceeded:
		return strangler.Fail(codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "the service %s took longer than the call's deadline; try again with a longer one", u.options.Service).WithCause(err)
	case codes.Canceled:
		if ctx.Err() != nil {
			return strangler.AsError(context.Cause(ctx))
		}
		return strangler.Fail(codes.Unavailable, "UPSTREAM_UNAVAILABLE", "the service %s has cancelled the call; try again", u.options.Service).WithCause(err).WithRetry(time.Second)
	}
	return u.said(st, err)
}

// said gives what the service itself says.
func (u *Upstream) said(st *status.Status, err error) *strangler.Error {
	e := &strangler.Error{Code: st.Code(), Reason: "UPSTREAM", Domain: strangler.Domain, Message: st.Message(), Cause: err}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Domain, e.Metadata = d.GetReason(), d.GetDomain(), d.GetMetadata()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Violations = append(e.Violations, strangler.Violation{Field: v.GetField(), Description: v.GetDescription()})
			}
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	return e
}
