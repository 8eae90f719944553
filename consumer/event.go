package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/protocol"
)

// Apply makes the service's tables equal an entity's state: Deleted, or what Message reads. It runs in the transaction that keeps the
// state's version, and must do all that it does there. It must not begin or end a transaction. It is called for one event at a
// time, only for states that are newer than the last, and again when the transaction could not be committed. An error or a
// panic makes the event be tried again, and then parked. An error of the database has to be given, wrapped with %w where it is
// wrapped: it may say that the database fails, or that the transaction is undone already.
type Apply func(ctx context.Context, tx *sql.Tx, event protocol.EntityEvent) error

// Message reads the state of an event that is no deletion into a message of the service's own generated code, from whichever of
// data and proto it has. A field that the message doesn't have is an error: passing over it would lose what legacy has.
func Message(e protocol.EntityEvent, m proto.Message) error {
	if name := m.ProtoReflect().Descriptor().FullName(); string(name) != e.Entity {
		return fmt.Errorf("the event is about a %s, and not about a %s", e.Entity, name)
	}
	var err error
	switch {
	case e.Proto != nil:
		err = proto.Unmarshal(e.Proto, m)
		if err == nil {
			err = unknown(m.ProtoReflect())
		}
	case len(e.Data) > 0:
		err = protojson.Unmarshal(e.Data, m)
	default:
		err = errors.New("there is no state: it is a deletion")
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", e.Entity, e.ID, err)
	}
	return nil
}

// unknown finds a field that a message or one within it doesn't have.
func unknown(m protoreflect.Message) (err error) {
	if bytes := m.GetUnknown(); len(bytes) > 0 {
		number, _, _ := protowire.ConsumeTag(bytes)
		return fmt.Errorf("%s has no field with the number %d", m.Descriptor().FullName(), number)
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				err = unknown(v.Message())
				return err == nil
			})
		case fd.IsList() && fd.Message() != nil:
			for i := 0; i < v.List().Len() && err == nil; i++ {
				err = unknown(v.List().Get(i).Message())
			}
		case !fd.IsMap() && !fd.IsList() && fd.Message() != nil:
			err = unknown(v.Message())
		}
		return err == nil
	})
	return err
}

// applyError is what Apply gave.
type applyError struct{ err error }

func (e *applyError) Error() string { return e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

// blames says whether an event is what has failed, rather than the database: Apply did, and not because it could not read or
// write, or what it has done breaks a constraint that is looked at when the transaction is committed, or it has passed over the
// transaction's end.
func (s *Store) blames(err error) bool {
	var applying *applyError
	return errors.Is(err, errUndone) || s.ask.broken(err) || errors.As(err, &applying) && !s.ask.failing(err)
}

// errMalformed is for messages that are none of the protocol's.
var errMalformed = errors.New("the message can't be read")

// readEvent gives the event of a message's body.
func readEvent(body []byte) (protocol.EntityEvent, error) {
	var e protocol.EntityEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return e, fmt.Errorf("%w: %w", errMalformed, err)
	}
	var wrong string
	switch e.Origin {
	case protocol.OriginLegacy, protocol.OriginForeign, protocol.OriginWriteBack, protocol.OriginAnnounce:
	default:
		wrong = fmt.Sprintf("origin %q", e.Origin)
	}
	switch {
	case e.Entity == "" || e.ID == "" || e.Version == "":
		wrong = "an entity, an id or a version is missing"
	case !e.Deleted && len(e.Data) == 0 && e.Proto == nil:
		wrong = "there is neither data nor proto, nor a deletion"
	case len(e.Data) > 0 && e.Proto != nil:
		wrong = "there are both data and proto"
	}
	if wrong != "" {
		return e, fmt.Errorf("%w: entity event: %s", errMalformed, wrong)
	}
	return e, nil
}

// effect is what an event did.
type effect struct {
	// did counts it; nil when it is parked.
	did func(*counters)
	// parked says why the event was parked, and key where; empty when it was not.
	parked, key string
	// first says that the key had no parked events before.
	first bool
	// freed is a key whose parked events may go on now; empty when there is none.
	freed string
}

// take does what an event asks for, in tx. An *applyError says that nothing in the rules is in the way of it, but Apply.
func (s *Store) take(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent, apply Apply) (effect, error) {
	have, err := s.entity(ctx, tx, e.Entity, e.ID)
	if err != nil {
		return effect{}, err
	}
	if e.Version <= have.version {
		return effect{did: ignored}, nil
	}
	if e.Event != "" && e.Event == have.event && e.Origin != protocol.OriginAnnounce {
		return s.again(ctx, tx, e, have)
	}
	any, err := yes(ctx, tx, s.ask.anyParked)
	if err != nil {
		return effect{}, err
	}
	var done effect
	switch {
	case any && e.Origin == protocol.OriginAnnounce:
		if done.freed, err = s.supersede(ctx, tx, e); err != nil {
			return effect{}, err
		}
	case any:
		key, behind, err := s.behind(ctx, tx, e, have)
		if err != nil {
			return effect{}, err
		}
		if behind {
			const reason = "an earlier event of its key is parked"
			return effect{parked: reason, key: key}, s.park(ctx, tx, key, e, reason)
		}
	}
	if e.Origin == protocol.OriginForeign && have.local.Valid {
		key := keyOf(e, have)
		return effect{parked: conflict, key: key, first: true}, s.park(ctx, tx, key, e, conflict)
	}
	if done.did = applied; e.Origin == protocol.OriginWriteBack {
		done.did = kept
	}
	return done, s.bring(ctx, tx, e, have, apply)
}

func applied(c *counters) { c.applied.Add(1) }
func ignored(c *counters) { c.ignored.Add(1) }
func kept(c *counters)    { c.kept.Add(1) }

// conflict is why a foreign change is parked.
const conflict = "conflict: the entity was changed in legacy behind Banyan's back, and the service has written it itself"

// again takes an event that was applied already, and comes from the log of another server now: all that its entity had before
// it comes again, too, and so will what came behind it. None of that is news; what was parked of it has been done.
func (s *Store) again(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent, have entityRow) (effect, error) {
	freed, err := s.supersede(ctx, tx, e)
	if err != nil {
		return effect{}, err
	}
	have.version = e.Version
	return effect{did: ignored, freed: freed}, s.put(ctx, tx, e, have)
}

// bring applies an event that nothing is in the way of, and keeps its version.
func (s *Store) bring(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent, have entityRow, apply Apply) error {
	row := entityRow{key: keyOf(e, have), version: e.Version, event: e.Event, deleted: e.Deleted}
	if e.Origin == protocol.OriginWriteBack {
		row.local, row.by, row.event = have.local, have.by, have.event
	} else if err := guarded(ctx, tx, e, apply); err != nil {
		if s.lost(ctx, tx) {
			return fmt.Errorf("the service's database was lost: %w", err)
		}
		return &applyError{err}
	}
	return s.put(ctx, tx, e, row)
}

// lost says whether a transaction's connection is gone: drivers tell that in words of their own, if at all. A server that answers
// is there, even where it says that the transaction has failed.
func (s *Store) lost(ctx context.Context, tx *sql.Tx) bool {
	var one int
	err := tx.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	if err == nil {
		return false
	}
	_, number := mysqlCode(err)
	_, result := sqliteCode(err)
	return !number && !result && postgresqlCode(err) == ""
}

// fits says why the database can't keep an event's names; nil when it can.
func (s *Store) fits(e protocol.EntityEvent) error {
	if err := s.kept("entity", e.Entity, "id", e.ID, "key", e.Key, "version", e.Version, "event", e.Event); err != nil {
		return err
	}
	if most := s.ask.together; most > 0 && len(e.Entity)+len(e.ID)+len(e.Version) > most {
		return fmt.Errorf("the entity %.40q, the id %.40q and the version %.40q are longer than %d bytes together", e.Entity, e.ID, e.Version, most)
	}
	return nil
}

// kept says why the database can't keep one of some texts, each behind what it is; nil when it can. What is no text can't be told
// in JSON either.
func (s *Store) kept(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		why := s.ask.keeps(pairs[i+1])
		if !utf8.ValidString(pairs[i+1]) {
			why = "it is not UTF-8"
		}
		if why != "" {
			return fmt.Errorf("the %s %.40q: %s", pairs[i], pairs[i+1], why)
		}
	}
	return nil
}

// put keeps what is known of an event's entity.
func (s *Store) put(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent, row entityRow) error {
	done, err := tx.ExecContext(ctx, s.ask.putEntity, s.marked(e.Entity, e.ID, row.key, row.version, row.event, row.local, row.by, row.deleted)...)
	if err != nil || !s.ask.marked {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 { // the version is another, so something has changed
		return err
	}
	return errUndone
}

// guarded calls apply, and makes an error of its panic: one event must not keep all others from being applied.
func guarded(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent, apply Apply) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return apply(ctx, tx, e)
}

// keyOf gives the key of an event's entity: a deleted one has what it had.
func keyOf(e protocol.EntityEvent, have entityRow) string {
	if e.Key == "" {
		return have.key
	}
	return e.Key
}
