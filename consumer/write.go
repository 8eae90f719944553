package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"banyan.dev/banyan/protocol"
)

// Tag is what Banyan says of a live write. The zero value is that of a call that doesn't come from Banyan.
type Tag struct {
	// ID is the same for each try of one write.
	ID string
	// Epoch is the version of the flag that it was decided under.
	Epoch uint64
}

// FromContext gives the tag of an incoming gRPC call. A call without one has the zero Tag. A tag that can't be read is an
// INVALID_ARGUMENT: such a call must not pass for one without.
func FromContext(ctx context.Context) (Tag, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	ids, epochs := md.Get(protocol.MetadataWrite), md.Get(protocol.MetadataEpoch)
	if len(ids) == 0 && len(epochs) == 0 {
		return Tag{}, nil
	}
	if len(ids) != 1 || len(epochs) != 1 || ids[0] == "" || len(ids[0]) > mostID {
		return Tag{}, refuse(codes.InvalidArgument, "BANYAN_TAG_INVALID", "a live write has one %s and one %s", protocol.MetadataWrite, protocol.MetadataEpoch)
	}
	epoch, err := strconv.ParseUint(epochs[0], 10, 63)
	if err != nil {
		return Tag{}, refuse(codes.InvalidArgument, "BANYAN_TAG_INVALID", "%s is %.40q, and should be a number", protocol.MetadataEpoch, epochs[0])
	}
	return Tag{ID: ids[0], Epoch: epoch}, nil
}

// mostID bounds a write's id; a UUID has 36 characters.
const mostID = 200

// EntityRef names an entity that a write has changed, made or deleted.
type EntityRef struct {
	// Entity is the full name of the message; ID and Key are as in the events about it.
	Entity string `json:"entity"`
	ID     string `json:"id"`
	Key    string `json:"key"`
	// Deleted says that it is gone.
	Deleted bool `json:"deleted,omitempty"`
}

// Write runs do in a transaction that keeps the write's id and reply, and that the service has written the entities that do
// gives. do fills reply. What it needs from elsewhere it should have asked for before: others wait for the transaction.
//
// A write whose id is known is not done again: reply is filled with what was replied, and replayed is true. A write of an
// older epoch than the capability's is refused with FAILED_PRECONDITION and protocol.ReasonEpochPassed. An error of do undoes
// everything, and nothing of it is kept. So does a write with a tag that gives several entities, which is refused with
// UNIMPLEMENTED: Banyan brings one to legacy before it answers, and the others would be lost by a rollback. When the
// database fails, the error is UNAVAILABLE: the write may be tried again.
func (s *Store) Write(ctx context.Context, capability string, tag Tag, reply proto.Message, do func(tx *sql.Tx) ([]EntityRef, error)) (replayed bool, err error) {
	if tag.ID == "" && s.options.TagsOnly {
		return false, refuse(codes.FailedPrecondition, "BANYAN_TAG_MISSING", "this service takes writes through Banyan only; call its facade")
	}
	passed := false
	err = s.within(ctx, func(tx *sql.Tx) error {
		if tag.ID != "" {
			if replayed, err = s.replay(ctx, tx, capability, tag, reply); replayed || err != nil {
				return err
			}
		}
		epoch, err := s.epoch(ctx, tx, capability)
		if err != nil {
			return err
		}
		if tag.ID != "" {
			if passed = tag.Epoch < epoch; passed {
				return refuse(codes.FailedPrecondition, protocol.ReasonEpochPassed, "the write was decided under version %d, and version %d has passed; decide it anew", tag.Epoch, epoch)
			}
			epoch = tag.Epoch
		}
		refs, err := do(tx)
		if err != nil {
			return err
		}
		now, err := s.clock(ctx, tx) // before anything is kept of it: it says, too, that the transaction was undone
		if err != nil {
			return err
		}
		if tag.ID != "" && slices.ContainsFunc(refs, func(r EntityRef) bool { return r.Entity != refs[0].Entity || r.ID != refs[0].ID }) {
			return refuse(codes.Unimplemented, "BANYAN_SEVERAL_ENTITIES", "this changes several entities at once, of which only one could be brought back; call it when the capability is not live")
		}
		for _, ref := range refs {
			if err := s.kept("entity", ref.Entity, "id", ref.ID, "key", ref.Key); err != nil {
				return refuse(codes.InvalidArgument, "BANYAN_NAME_REFUSED", "%v", err)
			}
			if _, err := tx.ExecContext(ctx, s.ask.markLocal, ref.Entity, ref.ID, ref.Key, int64(epoch), capability, ref.Deleted); err != nil { //nolint:gosec // 63 bits, see FromContext
				return err
			}
		}
		if tag.ID == "" {
			return nil
		}
		return s.keep(ctx, tx, capability, tag, reply, refs, now)
	})
	switch {
	case passed:
		s.counted.refused.Add(1)
	case err == nil && replayed:
		s.counted.replayed.Add(1)
	case err == nil && tag.ID != "":
		s.counted.written.Add(1)
	}
	if err != nil {
		return false, asStatus(err)
	}
	return replayed, nil
}

// replay fills reply with that of a known write.
func (s *Store) replay(ctx context.Context, tx *sql.Tx, capability string, tag Tag, reply proto.Message) (bool, error) {
	var was, entities string
	var bytes []byte
	err := tx.QueryRowContext(ctx, s.ask.write, tag.ID).Scan(&was, &bytes, &entities)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if was != capability {
		return false, refuse(codes.InvalidArgument, "BANYAN_TAG_INVALID", "write %s was one of capability %s", tag.ID, was)
	}
	proto.Reset(reply)
	if err := proto.Unmarshal(bytes, reply); err != nil {
		return false, fmt.Errorf("the reply of write %s: %w", tag.ID, err)
	}
	return true, nil
}

// keep stores a write, made at a time of the clock's.
func (s *Store) keep(ctx context.Context, tx *sql.Tx, capability string, tag Tag, reply proto.Message, refs []EntityRef, now int64) error {
	bytes, err := proto.Marshal(reply)
	if err != nil {
		return fmt.Errorf("keep the reply: %w", err)
	}
	if bytes == nil {
		bytes = []byte{} // an empty reply is no missing one
	}
	entities, err := json.Marshal(refs)
	if err != nil {
		return fmt.Errorf("keep the write: %w", err)
	}
	_, err = tx.ExecContext(ctx, s.ask.putWrite, tag.ID, int64(tag.Epoch), capability, bytes, string(entities), now) //nolint:gosec // 63 bits
	return err
}

// epoch gives a capability's epoch; 0 before the first fence.
func (s *Store) epoch(ctx context.Context, tx *sql.Tx, capability string) (uint64, error) {
	var epoch uint64
	err := tx.QueryRowContext(ctx, s.ask.epoch, capability).Scan(&epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return epoch, err
}

// refuse makes an error that a caller sees, with an ErrorInfo.
func refuse(code codes.Code, reason, format string, args ...any) error {
	st := status.New(code, fmt.Sprintf(format, args...))
	full, err := st.WithDetails(&errdetails.ErrorInfo{Domain: protocol.ErrorDomain, Reason: reason})
	if err != nil { // only OK can't carry details
		return st.Err()
	}
	return full.Err()
}

// asStatus gives a failure of the database as UNAVAILABLE, and all else as it is.
func asStatus(err error) error {
	if _, is := status.FromError(err); is {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	return status.Errorf(codes.Unavailable, "the write could not be stored; try it again: %v", err)
}
