package strangler

import (
	"errors"
	"time"

	"google.golang.org/grpc/codes"
)

// Reasons of what a call with an Idempotency-Key is told.
const (
	// ReasonKeyReused: the key was given with another request before. Nothing has happened.
	ReasonKeyReused = "IDEMPOTENCY_KEY_REUSED"
	// ReasonInProgress: a call with the same key is under way. It is worth repeating with the key.
	ReasonInProgress = "IDEMPOTENCY_IN_PROGRESS"
	// ReasonKeyRefused: the operation can't keep keys, or they are turned off. Nothing has happened.
	ReasonKeyRefused = "IDEMPOTENCY_UNSUPPORTED"
)

// Idempotency says that a write is to happen once, however often it is asked for.
type Idempotency struct {
	// Client and Subject are whose key it is, as in Call.
	Client, Subject string
	// Key is 1 to 255 bytes of printable ASCII, chosen by the client.
	Key string
	// Request is a hash of the operation and the request: the same key with another one is refused.
	Request [32]byte
}

// KeyUse is an earlier use of an Idempotency-Key, as the ledger has it.
type KeyUse struct {
	// Same says that it was for the same operation and request.
	Same bool
	// Expired says that the key has been kept for as long as it was to be.
	Expired bool
	// Done says that legacy alone has done it, with this reply. A key that has neither this nor a Write was committed by a
	// stored procedure before its write was over.
	Done  bool
	Reply []byte
	// Write is the live write that does it; its reply is in Reply once it is closed. nil when there is none.
	Write *Write
}

// Judge says what a call with the same key is told: the reply of the earlier use, or an error. free says that nothing has
// become of the earlier use, nor will, or that it is forgotten by now: the key can be used anew.
func (u *KeyUse) Judge() (reply []byte, free bool, err error) {
	w := u.Write
	switch {
	case w == nil && u.Expired:
		return nil, true, nil
	case w == nil:
	case w.State == WriteFailed, w.State == WriteVoid && !w.Carried:
		return nil, true, nil
	case w.State == WriteClosed && u.Expired, w.State == WriteVoid && u.Expired:
		return nil, true, nil
	}
	if !u.Same {
		e := Invalid("idempotency-key", "it was used for another request before; give each request a key of its own, and repeat it unchanged")
		e.Reason = ReasonKeyReused
		return nil, false, e
	}
	switch {
	case w == nil && !u.Done: // its transaction was committed in the middle, which only the statements themselves can do
		return nil, false, Fail(codes.DataLoss, ReasonOutcomeUnknown, "a call with this key was broken off, and part of it or all has happened; read it back, and repeat it with another key only if it is missing")
	case w == nil:
		return u.Reply, false, nil
	}
	switch w.State {
	case WriteClosed:
		return u.Reply, false, nil
	case WriteDoubt:
		return nil, false, inDoubt(w, errors.New(w.Reason))
	case WriteVoid, "": // the row is gone, which nobody but a person can have done
		if w.State == WriteVoid && !w.Settled {
			return nil, false, inProgress() // modern is yet to say what it had done
		}
		e := Fail(codes.DataLoss, ReasonOutcomeUnknown, "the change was given up while others changed the same, and may have happened with theirs; read it back, and repeat it with another key only if it is missing. Operators find it as write %s", w.ID)
		e.Metadata = map[string]string{"write": w.ID}
		return nil, false, e
	default:
		return nil, false, inProgress()
	}
}

// AlreadyDone is the error of a write that was done before, under its Idempotency-Key. Nothing was done now.
type AlreadyDone struct {
	// Reply is the operation's Output on the wire, as it was given then.
	Reply []byte
}

func (*AlreadyDone) Error() string { return "the write was done before, under its idempotency key" }

func inProgress() *Error {
	return Fail(codes.Aborted, ReasonInProgress, "a call with the same idempotency key is under way; repeat it with the key").WithRetry(time.Second)
}
