package edge

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// DefaultStreamTimeout is how long a stream lasts at most where a server's Options don't say.
const DefaultStreamTimeout = 10 * time.Minute

// StreamTooLong is the error for a stream that took longer than limit. The edges have it as their contexts' cause:
// a transport has to know when a stream ends, or a caller who stops reading would hold it, and what the Backend holds
// for it, as long as the caller likes.
func StreamTooLong(limit time.Duration) *strangler.Error {
	return strangler.Fail(codes.DeadlineExceeded, "DEADLINE_EXCEEDED",
		"the stream took longer than %s, which is the limit here; ask for less, and read replies as they come", limit)
}

// Unsent is the error for a reply that could not be sent because of err: why ctx ended, and CANCELLED when the
// transport has noticed before ctx that the caller is gone.
func Unsent(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	if cause == nil {
		cause = context.Canceled
	}
	var why *strangler.Error
	if errors.As(cause, &why) {
		told := *why // many calls may have the same cause
		return told.WithCause(err)
	}
	return strangler.AsError(cause).WithCause(err)
}
