package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"banyan.dev/banyan/protocol"
)

// readFence gives the fence of a message's body.
func readFence(body []byte) (protocol.Fence, error) {
	var f protocol.Fence
	if err := json.Unmarshal(body, &f); err != nil {
		return f, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if f.ID == "" || f.Epoch > math.MaxInt64 || f.Partition < 0 || f.Partition >= protocol.Partitions {
		return f, fmt.Errorf("%w: fence: an id is missing, the epoch is too large, or there is no such partition", errMalformed)
	}
	return f, nil
}

// fence does what copies of one fence ask for: it raises the capability's epoch, and gives the answer, as it is true at that moment. It may be repeated.
func (s *Store) fence(ctx context.Context, service string, copies ...protocol.Fence) (answer protocol.Answer, err error) {
	f := copies[0]
	answer = protocol.Answer{Fence: f.ID, Service: service}
	for _, c := range copies {
		answer.Partitions = append(answer.Partitions, c.Partition)
	}
	if f.Service != "" && f.Service != service {
		answer.Error = fmt.Sprintf("this is service %q and the fence is for %q: look where the queue is bound", service, f.Service)
		return answer, nil
	}
	if f.Capability == "" && f.Epoch > 0 {
		answer.Error = "the fence has an epoch and no capability"
		return answer, nil
	}
	err = s.within(ctx, func(tx *sql.Tx) error {
		if err := s.hear(ctx, tx); err != nil {
			return err
		}
		if f.Epoch > 0 {
			if _, err := tx.ExecContext(ctx, s.ask.raiseEpoch, f.Capability, int64(f.Epoch)); err != nil { //nolint:gosec // readFence has looked
				return err
			}
		}
		if f.Back {
			if err := s.back(ctx, tx, copies); err != nil {
				return err
			}
		}
		if answer.Committed, err = s.asked(ctx, tx, f.Void); err != nil {
			return err
		}
		parked, err := keys(ctx, tx, s.ask.parkedKeys, "", protocol.MostParked+1)
		if err != nil {
			return err
		}
		nameless, err := yes(ctx, tx, s.ask.keyParked, "")
		if err != nil {
			return err
		}
		if nameless { // events of entities whose key nobody knows
			parked = append([]string{""}, parked...)
		}
		if answer.More = len(parked) > protocol.MostParked; answer.More {
			parked = parked[:protocol.MostParked]
		}
		answer.Parked = parked
		return nil
	})
	if err != nil {
		return protocol.Answer{}, fmt.Errorf("fence %s: %w", f.ID, err)
	}
	return answer, nil
}

// back forgets what the service has written itself, once the fence has come in all partitions: before that, a foreign change
// from when the keys were live could still be on its way in another one, and what the service wrote after it would be undone.
func (s *Store) back(ctx context.Context, tx *sql.Tx, copies []protocol.Fence) error {
	f := copies[0]
	epoch := int64(f.Epoch) //nolint:gosec // readFence has looked
	for _, c := range copies {
		if _, err := tx.ExecContext(ctx, s.ask.putBack, f.Capability, epoch, f.ID, c.Partition); err != nil {
			return err
		}
	}
	var n int
	if err := tx.QueryRowContext(ctx, s.ask.countBack, f.Capability, epoch, f.ID).Scan(&n); err != nil || n < protocol.Partitions {
		return err
	}
	// Of an entity with parked events they have to be settled first: applied now, a conflict would undo what the service wrote
	// later, since the write-back behind it only keeps a version.
	if _, err := tx.ExecContext(ctx, s.ask.unmarkLocal, f.Capability, epoch); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, s.ask.dropBack, f.Capability, epoch)
	return err
}

// asked gives the ids of the entities of those of some writes that are known. They are kept as long again: the answer may be
// lost.
func (s *Store) asked(ctx context.Context, tx *sql.Tx, void []string) (known map[string][]string, err error) {
	if len(void) == 0 {
		return nil, nil
	}
	now, err := s.clock(ctx, tx)
	if err != nil {
		return nil, err
	}
	known = map[string][]string{}
	for _, id := range void {
		ids, is, err := s.committed(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		if !is {
			continue
		}
		known[id] = ids
		if _, err := tx.ExecContext(ctx, s.ask.renewWrite, now, id); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// committed gives the ids of the entities of a write, if it is known.
func (s *Store) committed(ctx context.Context, tx *sql.Tx, id string) (ids []string, known bool, err error) {
	var capability, entities string
	var reply []byte
	err = tx.QueryRowContext(ctx, s.ask.write, id).Scan(&capability, &reply, &entities)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	var refs []EntityRef
	if err := json.Unmarshal([]byte(entities), &refs); err != nil {
		return nil, false, err
	}
	ids = make([]string, len(refs))
	for i, ref := range refs {
		ids[i] = ref.ID
	}
	return ids, true, nil
}
