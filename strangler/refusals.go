package strangler

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/protocol"
)

// Reasons of the errors that the Router makes.
const (
	// ReasonNoLease: this replica doesn't know now where a write belongs. Nothing has happened.
	ReasonNoLease = "NO_LEASE"
	// ReasonNoFlag: a write's capability has no flag that could be read. Nothing has happened.
	ReasonNoFlag = "NO_FLAG"
	// ReasonHeld: a write waited for a shift's end for too long. Nothing has happened.
	ReasonHeld = "HELD"
	// ReasonKeyNeeded: a write without a key, while keys are on both sides. Nothing has happened.
	ReasonKeyNeeded = "KEY_NEEDED"
	// ReasonKeyMismatch: a request names an entity of another owner than it says. Nothing has happened.
	ReasonKeyMismatch = "KEY_MISMATCH"
	// ReasonNotLive: a write whose capability or operation can't be live, but is. Nothing has happened.
	ReasonNotLive = "NOT_LIVE"
	// ReasonOutcomeUnknown: a live write that may have happened, or may yet.
	ReasonOutcomeUnknown = "WRITE_OUTCOME_UNKNOWN"
	// ReasonInDoubt: a live write that modern has and legacy can't take.
	ReasonInDoubt = "WRITE_IN_DOUBT"
)

// commitUnknown is the reason by which legacy says that a COMMIT's outcome is not known.
const commitUnknown = "COMMIT_OUTCOME_UNKNOWN"

// retryAfter is the hint of errors that leave nothing behind.
const retryAfter = time.Second

// reasonOf gives the reason of what is an *Error, or wraps one.
func reasonOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// definite says whether an answer tells that nothing has happened, or will. What a proxy or a client library may say, too,
// after the call has arrived, is not definite: RESOURCE_EXHAUSTED is also the answer to a reply that is too large.
func definite(err *Error) bool {
	switch err.Code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.Unauthenticated,
		codes.FailedPrecondition, codes.OutOfRange, codes.Aborted, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// epochPassed says whether modern has refused a write because its epoch has passed.
func epochPassed(err *Error) bool {
	return err.Code == codes.FailedPrecondition && err.Reason == protocol.ReasonEpochPassed && err.Domain == protocol.ErrorDomain
}

func noDecision(ctx context.Context, want *undecided) error {
	if ctx.Err() != nil {
		return AsError(ctx.Err())
	}
	reason := ReasonNoFlag
	if want.notReady() {
		reason = ReasonNoLease
	}
	return Fail(codes.Unavailable, reason, "this replica does not know at present where the change belongs, and has changed nothing; try again, another one may answer").
		WithRetry(retryAfter).WithCause(want)
}

func heldTooLong(ctx context.Context, cause error) error {
	code := codes.Unavailable
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return AsError(ctx.Err())
	case ctx.Err() != nil:
		code = codes.DeadlineExceeded
	}
	return Fail(code, ReasonHeld, "changes wait while this data is moved, and this one has waited for as long as it may; nothing was changed, try again").
		WithRetry(retryAfter).WithCause(cause)
}

func keyNeeded(call *Call) error {
	return Fail(codes.FailedPrecondition, ReasonKeyNeeded,
		"%s changes data without saying whose, which can't be decided while that data is moved step by step; nothing was changed: if the request has a field for the owner, fill it in; else try again once all has been moved", call.Operation.Name)
}

func keyMismatch(call *Call) error {
	return Fail(codes.InvalidArgument, ReasonKeyMismatch,
		"%s names an owner whose this is not; nothing was changed: name the owner of what the request is about", call.Operation.Name)
}

func notLive(call *Call, why string) error {
	return Fail(codes.Unimplemented, ReasonNotLive, "%s can't be answered at present, and has changed nothing; tell the operators", call.Operation.Name).
		WithCause(errors.New(why))
}

// outcomeUnknown tells a caller of a live write that is left to the sweeper. There is no hint to retry, as a repetition
// would be another write.
func outcomeUnknown(ctx context.Context, w *Write, cause error) error {
	code := codes.Unavailable
	deadline, ok := ctx.Deadline()
	switch {
	case ok && !time.Now().Before(deadline): // ctx may not have noticed yet
		code = codes.DeadlineExceeded
	case ctx.Err() != nil:
		code = codes.Canceled
	}
	e := Fail(code, ReasonOutcomeUnknown, "it is not known whether the change has happened, or still will; read it back before repeating it. Operators find it as write %s", w.ID)
	e.Metadata = map[string]string{"write": w.ID}
	return e.WithCause(cause)
}

func inDoubt(w *Write, cause error) error {
	e := Fail(codes.Internal, ReasonInDoubt, "the change has been made, but not everywhere, and waits for the operators; don't repeat it. They find it as write %s", w.ID)
	e.Metadata = map[string]string{"write": w.ID}
	return e.WithCause(cause)
}

// brief gives an error as a ledger's reason, which is bounded.
func brief(err error) string {
	const most = 1000
	text := []rune(valid(err.Error()))
	return string(text[:min(len(text), most)])
}
