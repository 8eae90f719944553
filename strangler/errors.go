package strangler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is the ErrorInfo domain of the errors that Banyan itself makes. Errors that a team's SQL declares have the
// operation's proto package as their domain.
const Domain = "banyan"

// Error is what a caller is told, by AIP-193: a canonical code, a message that says what to do next, an ErrorInfo, and
// more details where they help. The cause is for the log only; it is never sent.
type Error struct {
	Code codes.Code
	// Reason is ErrorInfo's reason: UPPER_SNAKE_CASE, one a kind of fault.
	Reason  string
	Domain  string
	Message string
	// Metadata is ErrorInfo's.
	Metadata map[string]string
	// Violations name request fields that are wrong (BadRequest).
	Violations []Violation
	// RetryAfter is a hint (RetryInfo); zero means none.
	RetryAfter time.Duration
	// Challenge says over HTTP how to prove who one is (WWW-Authenticate, RFC 9110, 11.6.1); empty means that there is no
	// header of that name.
	Challenge string
	// Cause is what the log gets.
	Cause error
	// Unsent says that nothing of the call has left here: whatever it was to change is unchanged.
	Unsent bool
	// Logged says that the log has it already.
	Logged bool
}

// Violation names a field of the request, as a dotted path, and what is wrong with it.
type Violation struct {
	Field       string
	Description string
}

// Fail makes an Error of Banyan's own domain. The message is a format.
func Fail(code codes.Code, reason, format string, args ...any) *Error {
	return &Error{Code: code, Reason: reason, Domain: Domain, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes an INVALID_ARGUMENT about one field of the request.
func Invalid(field, format string, args ...any) *Error {
	desc := fmt.Sprintf(format, args...)
	return &Error{
		Code: codes.InvalidArgument, Reason: "INVALID_FIELD", Domain: Domain,
		Message: field + ": " + desc, Violations: []Violation{{Field: field, Description: desc}},
	}
}

// WithCause keeps err for the log.
func (e *Error) WithCause(err error) *Error {
	e.Cause = err
	return e
}

// WithRetry hints that the call may be tried again after d.
func (e *Error) WithRetry(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}

// Error gives code, reason, message and cause: a text for logs, not for callers.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %s", e.Code, e.Reason, e.Message)
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// GRPCStatus gives what the caller sees, with details. gRPC and grpc-gateway both look for this method. Bytes that are
// no UTF-8 are replaced: they come from requests that are refused for them, and no detail could carry them.
func (e *Error) GRPCStatus() *status.Status {
	st := status.New(e.Code, valid(e.Message))
	info := &errdetails.ErrorInfo{Reason: valid(e.Reason), Domain: valid(e.Domain)}
	if len(e.Metadata) > 0 {
		info.Metadata = make(map[string]string, len(e.Metadata))
		for k, v := range e.Metadata {
			info.Metadata[valid(k)] = valid(v)
		}
	}
	details := []protoadapt.MessageV1{info}
	if len(e.Violations) > 0 {
		br := &errdetails.BadRequest{}
		for _, v := range e.Violations {
			br.FieldViolations = append(br.FieldViolations,
				&errdetails.BadRequest_FieldViolation{Field: valid(v.Field), Description: valid(v.Description)})
		}
		details = append(details, br)
	}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	full, err := st.WithDetails(details...)
	if err != nil { // only OK can't carry details
		return st
	}
	return full
}

// valid gives text with what is no UTF-8 in it replaced.
func valid(text string) string { return strings.ToValidUTF8(text, string(utf8.RuneError)) }

// AsError gives err as an *Error. What is none becomes CANCELLED or DEADLINE_EXCEEDED when a context ended, the
// status it carries when it has one, else INTERNAL with err as its cause. It gives nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Fail(codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "the call took longer than its deadline; try again with a longer one").WithCause(err)
	case errors.Is(err, context.Canceled):
		return Fail(codes.Canceled, "CANCELLED", "the caller cancelled the call").WithCause(err)
	}
	if st, ok := status.FromError(err); ok && st.Code() != codes.Unknown {
		return &Error{Code: st.Code(), Reason: "UPSTREAM", Domain: Domain, Message: st.Message(), Cause: err}
	}
	return Fail(codes.Internal, "INTERNAL", "something went wrong here; the log names the cause under the request id").WithCause(err)
}
