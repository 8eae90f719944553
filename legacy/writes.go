package legacy

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler"
)

// Writes keeps live writes in the ledger's tables writes and locks, in the legacy's own transactions. It is a
// strangler.Ledger.
//
// Times are the columns' own defaults: those are exact, while MySQL stores NOW() an hour early as long as the session's zone
// repeats one.
type Writes struct {
	backend *Backend
	replica string
	writes  string // the tables, quoted
	locks   string
	settled string
	room    *room
	// entities are those of capabilities, by the capability's name.
	entities map[string]protoreflect.FullName
}

// lockSlots is how many write-backs can run at once without waiting for others by chance. Rows of locks are made when they
// are needed, at most so many.
const lockSlots = 4096

// longestKey bounds keys and ids, in characters: what the ledger's columns take.
const longestKey = 255

// NewWrites makes a ledger beside a Backend, whose pool marks its transactions. schema is the ledger's, entities are the
// messages that capabilities bring back. Write-backs take at most half of the pool's connections.
func NewWrites(b *Backend, schema, replica string, entities map[string]protoreflect.FullName) *Writes {
	quoted := "`" + strings.ReplaceAll(schema, "`", "``") + "`."
	return &Writes{backend: b, replica: replica, writes: quoted + "writes", locks: quoted + "locks", settled: quoted + "settled", room: newRoom(b.pool.Stats().MaxOpen / 2), entities: entities}
}

// transact runs a marked transaction, again where the server broke a deadlock with it.
func (w *Writes) transact(ctx context.Context, do func(conn *pool.Conn) error) error {
	for try := 1; ; try++ {
		err := w.once(ctx, do)
		if err == nil {
			return nil
		}
		if err = again(ctx, err, try, true, false); err != nil {
			return err
		}
	}
}

func (w *Writes) once(ctx context.Context, do func(conn *pool.Conn) error) error {
	conn, err := w.backend.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // rolls back what is open
	if err := conn.BeginWrite(ctx); err != nil {
		return asError(err)
	}
	if err := do(conn); err != nil {
		return err
	}
	if err := conn.Commit(ctx); err != nil {
		return asError(err)
	}
	return nil
}

// affect runs a statement that changes rows, and gives how many it matched.
func affect(ctx context.Context, conn *pool.Conn, sql string, args ...driver.Value) (uint64, error) {
	done, err := conn.Exec(ctx, sql, args)
	if err != nil {
		return 0, asError(err)
	}
	return uint64(done.RowsMatched), nil //nolint:gosec // It is a count.
}

// Open implements strangler.Ledger.
func (w *Writes) Open(ctx context.Context, write *strangler.Write) error {
	if len([]rune(write.Key)) > longestKey || len([]rune(write.Entity)) > longestKey {
		return strangler.Fail(codes.InvalidArgument, "KEY_TOO_LONG", "the key or the id that the request is routed by is longer than %d characters", longestKey)
	}
	var key driver.Value
	if write.Keyed {
		key = write.Key
	}
	return w.transact(ctx, func(conn *pool.Conn) error {
		if write.Idempotency != nil {
			reply, done, err := w.backend.keys.claim(ctx, conn, write.Idempotency, write.Operation, write.ID)
			switch {
			case err != nil:
				return err
			case done:
				return &strangler.AlreadyDone{Reply: reply}
			}
		}
		_, err := affect(ctx, conn, "INSERT INTO "+w.writes+" (id, capability, operation, routed_by, entity, epoch, replica, state, request)"+
			" VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?)",
			write.ID, write.Capability, write.Operation, key, write.Entity, int64(write.Epoch), w.replica, nonNil(write.Request)) //nolint:gosec // Epochs count from 1.
		return err
	})
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// WriteBack implements strangler.Ledger.
func (w *Writes) WriteBack(ctx context.Context, write *strangler.Write, reply []byte, read func(ctx context.Context) (*contract.Payload, error)) error {
	event := w.backend.program.Event(w.entities[write.Capability])
	if event == nil || w.backend.program.puts[event.Entity.FullName()] == nil {
		return strangler.Fail(codes.Unimplemented, "NO_PUT", "no SQL brings what %s writes to legacy", write.Capability)
	}
	if write.Entity == "" {
		return strangler.Fail(codes.Internal, "NO_ENTITY", "the write %s names no entity", write.ID)
	}
	slot := slotOf(write.Capability, write.Entity)
	entityMark := int64(change.WrittenBack(string(event.Entity.FullName()), write.Entity)) //nolint:gosec // It has 63 bits.
	leave, err := w.room.enter(ctx, slot)
	if err != nil {
		return err
	}
	defer leave()
	return w.transact(ctx, func(conn *pool.Conn) error {
		// The first change behind the mark: whoever reads the log sees by it what the transaction is, and of which entity.
		lock := "INSERT INTO " + w.locks + " (slot, n) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = ? | ((n & 1) ^ 1)"
		if _, err := affect(ctx, conn, lock, slot, entityMark, entityMark); err != nil {
			return err
		}
		entity, err := read(ctx)
		if err != nil {
			return err
		}
		if err := w.put(ctx, conn, event, write.Entity, entity); err != nil {
			return err
		}
		matched, err := affect(ctx, conn, "UPDATE "+w.writes+" SET state = 'closed', entity = ?, reply = ?, reason = '', changed_at = DEFAULT WHERE id = ? AND state IN ('open', 'doubt')",
			write.Entity, nonNil(reply), write.ID)
		if err == nil && matched == 0 {
			err = strangler.ErrNotOpen
		}
		return err
	})
}

func slotOf(capability, entity string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(capability + "\x00" + entity)) // never fails
	return int64(h.Sum32() % lockSlots)
}

// put makes legacy's rows equal an entity, and reads them back to see that they do.
func (w *Writes) put(ctx context.Context, conn *pool.Conn, event *Event, id string, entity *contract.Payload) error {
	var want protoreflect.Message
	if entity != nil {
		var err error
		if want, err = entity.Message(); err != nil {
			return fmt.Errorf("decode the %s of the service: %w", event.Entity.FullName(), err)
		}
		if _, _, err := w.backend.within(ctx, conn, w.backend.program.puts[event.Entity.FullName()], want); err != nil {
			return err
		}
	}
	have, err := w.backend.get(ctx, conn, event, id)
	var there *ThereError
	switch {
	case errors.As(err, &there):
		return &strangler.DifferError{What: fmt.Sprintf("the %s %s can't be read back: %v", event.Entity.Name(), id, there)}
	case err != nil:
		return err
	case have == nil && want == nil:
		return nil
	case want == nil:
		return &strangler.DifferError{What: fmt.Sprintf("the service has no %s %s (any more), and legacy has one: nothing in SQL removes it", event.Entity.Name(), id)}
	case have == nil:
		return &strangler.DifferError{What: fmt.Sprintf("legacy has no %s %s after its put", event.Entity.Name(), id)}
	}
	if what := strangler.DiffersAt(want, have); what != "" {
		return &strangler.DifferError{What: what}
	}
	return nil
}

// within runs an operation on a connection, in the transaction that is open there. failed is the statement that an error is of;
// nil where it is of none.
func (b *Backend) within(ctx context.Context, conn *pool.Conn, op *operation, request protoreflect.Message) (reply []byte, failed *statement, err error) {
	r, err := b.start(op, &strangler.Call{}, input{message: request})
	if err != nil {
		return nil, nil, err
	}
	defer r.free()
	r.conn = conn
	reply, err = r.answer(ctx)
	return reply, r.failed, err
}

// get reads an entity on a connection, in the transaction that is open there; nil where legacy has none. A *ThereError says
// that it has one, though the Get doesn't find it.
func (b *Backend) get(ctx context.Context, conn *pool.Conn, event *Event, id string) (protoreflect.Message, error) {
	request := dynamicpb.NewMessage(event.Get.Input)
	v, err := idValue(event.GetID, id)
	if err != nil {
		return nil, event.unlessThere(ctx, conn, id, err)
	}
	request.Set(event.GetID, v)
	wire, failed, err := b.within(ctx, conn, b.program.ops[event.Get.Name], request)
	if err != nil {
		var told *strangler.Error
		if !errors.As(err, &told) || told.Code != codes.NotFound {
			return nil, err
		}
		if event.tells(failed, b.program.current) {
			return nil, nil
		}
		return nil, event.unlessThere(ctx, conn, id, err)
	}
	m, err := contract.FromWire(event.Entity, wire).Message()
	if err != nil {
		return nil, fmt.Errorf("decode the %s %s of legacy: %w", event.Entity.FullName(), id, err)
	}
	return m, nil
}

// idValue reads an id as a field has it.
func idValue(fd protoreflect.FieldDescriptor, id string) (protoreflect.Value, error) {
	bad := func(err error) (protoreflect.Value, error) {
		return protoreflect.Value{}, strangler.Invalid(string(fd.Name()), "%q is no id", id).WithCause(err)
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(id), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(id, 10, 32)
		if err != nil {
			return bad(err)
		}
		return protoreflect.ValueOfInt32(int32(n)), nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return bad(err)
		}
		return protoreflect.ValueOfInt64(n), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return bad(err)
		}
		return protoreflect.ValueOfUint32(uint32(n)), nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return bad(err)
		}
		return protoreflect.ValueOfUint64(n), nil
	default:
		return bad(fmt.Errorf("a %s can't be an id", fd.Kind()))
	}
}

// Finish implements strangler.Ledger.
func (w *Writes) Finish(ctx context.Context, id string, state strangler.WriteState, reason string) error {
	if runes := []rune(reason); len(runes) > 1000 {
		reason = string(runes[:1000])
	}
	from := "'open', 'doubt'"
	if state == strangler.WriteDoubt {
		from = "'open', 'failed'"
	}
	return w.transact(ctx, func(conn *pool.Conn) error {
		matched, err := affect(ctx, conn, "UPDATE "+w.writes+" SET state = ?, reason = ?, changed_at = DEFAULT WHERE id = ? AND state IN ("+from+")", string(state), reason, id)
		if err == nil && matched == 0 {
			err = strangler.ErrNotOpen
		}
		if err == nil && state == strangler.WriteVoid {
			_, err = affect(ctx, conn, "INSERT INTO "+w.settled+" (id, carried) VALUES (?, 0) ON DUPLICATE KEY UPDATE carried = 0", id)
		}
		return err
	})
}

// Find implements strangler.Ledger.
func (w *Writes) Find(ctx context.Context, id, entity string) (found *strangler.Write, reply []byte, err error) {
	conn, err := w.backend.pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Release()
	err = scan(ctx, conn, "SELECT w.capability, w.operation, IFNULL(w.routed_by, ''), w.routed_by IS NOT NULL, w.entity, w.epoch, w.replica, w.state, w.reason, w.request, IFNULL(w.reply, ''),"+
		" FLOOR(UNIX_TIMESTAMP(w.created_at) * 1000000), FLOOR(UNIX_TIMESTAMP(w.changed_at) * 1000000),"+
		" "+fate(w.writes, w.settled)+
		" FROM "+w.writes+" w WHERE w.id = ?", []driver.Value{entity, entity, id}, func(row []driver.Value) {
		epoch, _ := strconv.ParseUint(text(row[5]), 10, 64) // it is a number
		found = &strangler.Write{
			ID: id, Capability: text(row[0]), Operation: text(row[1]), Key: text(row[2]), Keyed: text(row[3]) == "1", Entity: text(row[4]), Epoch: epoch,
			Replica: text(row[6]), State: strangler.WriteState(text(row[7])), Reason: text(row[8]), Request: []byte(text(row[9])),
			Created: time.UnixMicro(number(row[11])), Changed: time.UnixMicro(number(row[12])), Carried: text(row[13]) == "1", Settled: text(row[14]) == "1",
		}
		reply = []byte(text(row[10]))
	})
	if err != nil {
		return nil, nil, asError(err)
	}
	if found == nil || found.State != strangler.WriteClosed {
		reply = nil
	}
	return found, reply, nil
}

var _ strangler.Ledger = (*Writes)(nil)
