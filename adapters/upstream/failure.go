package upstream

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/strangler"
)

// Reasons of the errors that are not the service's own. None says what has become of a write.
const (
	// ReasonUnavailable: the service can't be reached, or was lost during the call.
	ReasonUnavailable = "UPSTREAM_UNAVAILABLE"
	// ReasonReply: the service has answered what can't be passed on.
	ReasonReply = "UPSTREAM_REPLY"
	// ReasonDeadline: the service has not answered in time.
	ReasonDeadline = "DEADLINE_EXCEEDED"
)

// retryAfter is the hint of errors of calls that can be repeated.
const retryAfter = time.Second

// failure gives gRPC's error as the caller's.
func (c *conversation) failure(err error) *strangler.Error {
	e := c.judge(err)
	e.Unsent = !c.heard.sent.Load()
	return e
}

func (c *conversation) judge(err error) *strangler.Error {
	st := statusOf(err)
	late := st.Code() == codes.DeadlineExceeded
	if late {
		awaitEnd(c.ctx)
	}
	switch {
	case (late || st.Code() == codes.Canceled) && c.ctx.Err() != nil:
		return c.ended(err)
	case unusable(st) && c.heard.headers.Load():
		return c.unusable(err)
	case late && (!c.heard.trailers.Load() || !reasoned(st)):
		// Without a reason it is a library's word for its own clock, wherever it runs.
		return c.late(err)
	case c.heard.trailers.Load():
		return c.own(st)
	default:
		return c.lost(err)
	}
}

// clocks is how much earlier than here a deadline may be noticed elsewhere.
const clocks = 50 * time.Millisecond

// awaitEnd waits for a deadline that is about to pass: what ends then has a cause that tells more.
func awaitEnd(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < clocks {
		<-ctx.Done()
	}
}

// statusOf gives the status in err, without what gRPC writes around it where it has tried several times.
func statusOf(err error) *status.Status {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) && s.GRPCStatus() != nil {
		return s.GRPCStatus()
	}
	return status.Convert(err)
}

// unusable says whether gRPC has made st up over a message that it did not take, or that is missing. Whether the service's
// trailers have arrived doesn't tell here: they follow the message. That the text is the same where the service's gRPC
// refuses a request is why headers are looked for, too: a refusal has none.
func unusable(st *status.Status) bool {
	switch st.Code() {
	case codes.ResourceExhausted, codes.Internal, codes.Unimplemented:
		return strings.HasPrefix(st.Message(), "grpc: ") || strings.HasPrefix(st.Message(), "cardinality violation: ")
	default:
		return false
	}
}

// own gives what the service has said, as it is.
func (c *conversation) own(st *status.Status) *strangler.Error {
	said := st.Code()
	if said > codes.Unauthenticated { // there is none above
		said = codes.Unknown
	}
	e := &strangler.Error{
		Code: said, Reason: code.Code(said).String(), Domain: string(c.call.Operation.Descriptor.ParentFile().Package()), Message: st.Message(),
	}
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

// reasoned says whether st tells a reason.
func reasoned(st *status.Status) bool {
	return slices.ContainsFunc(st.Details(), func(detail any) bool {
		_, ok := detail.(*errdetails.ErrorInfo)
		return ok
	})
}

// ended is the error of a call whose context has ended. Who made the context may have said what that means.
func (c *conversation) ended(err error) *strangler.Error {
	if errors.Is(c.ctx.Err(), context.Canceled) {
		return strangler.AsError(context.Canceled)
	}
	var said *strangler.Error
	if errors.As(context.Cause(c.ctx), &said) && said.Code == codes.DeadlineExceeded {
		told := *said // many calls may have the same cause
		return told.WithCause(err)
	}
	return c.late(err)
}

// late is the error of an answer that has not come in time.
func (c *conversation) late(err error) *strangler.Error {
	e := c.fail(codes.DeadlineExceeded, ReasonDeadline, "the service that answers this has not done so before the call's deadline; "+c.advice("try again with a longer one"), err)
	e.RetryAfter = 0
	return e
}

// lost is the error of a service that can't be reached, or of an answer that was lost.
func (c *conversation) lost(err error) *strangler.Error {
	what := "the service that answers this can't be reached at present; "
	if c.heard.sent.Load() {
		what = "the service that answers this was lost before it had answered in full; "
	}
	return c.fail(codes.Unavailable, ReasonUnavailable, what+c.advice("try again"), err)
}

// unusable is the error of an answer that can't be passed on.
func (c *conversation) unusable(err error) *strangler.Error {
	what := "the service that answers this has sent an answer that can't be passed on; "
	if statusOf(err).Code() == codes.ResourceExhausted {
		what = "the service that answers this has sent an answer that is larger than it may be; "
	}
	e := c.fail(codes.Internal, ReasonReply, what+c.advice("ask for less, or tell the operators"), err)
	e.RetryAfter = 0
	return e
}

// advice says what to do: what is given, unless the call may have changed something.
func (c *conversation) advice(harmless string) string {
	switch {
	case c.call.Operation.Read:
		return harmless
	case !c.heard.sent.Load():
		return "nothing was changed: " + harmless
	default:
		return "it may have made the change: read it back before repeating it"
	}
}

func (c *conversation) fail(code codes.Code, reason, message string, cause error) *strangler.Error {
	e := strangler.Fail(code, reason, "%s", message).WithCause(cause)
	e.Metadata = map[string]string{"service": c.service}
	if c.call.Operation.Read || !c.heard.sent.Load() {
		e.RetryAfter = retryAfter
	}
	return e
}
