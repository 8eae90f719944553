package legacy

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// Keys keeps idempotency keys in the ledger's table idempotency, in the transactions of what they stand for.
type Keys struct {
	table, writes, settled string // quoted
	keep                   time.Duration
	maxReply               int
}

// KeyOptions are what Keys are made of.
type KeyOptions struct {
	// Schema is the ledger's.
	Schema string
	// Keep is how long a key is kept after its write.
	Keep time.Duration
	// MaxReply is the largest reply that is kept, in bytes. A write with a key whose reply is larger is undone and refused.
	MaxReply int
}

// NewKeys makes Keys.
func NewKeys(o KeyOptions) *Keys {
	quoted := "`" + strings.ReplaceAll(o.Schema, "`", "``") + "`."
	return &Keys{table: quoted + "idempotency", writes: quoted + "writes", settled: quoted + "settled", keep: o.Keep, maxReply: o.MaxReply}
}

// idOf gives the id of a key's row. Neither a client's name nor a key has a zero byte in it, so that nobody can choose his for
// the row to be another's.
func idOf(i *strangler.Idempotency) []byte {
	owned := i.Client + "\x00" + i.Key
	if i.Subject != "" {
		owned += "\x00" + i.Subject
	}
	sum := sha256.Sum256([]byte(owned))
	return sum[:]
}

// duplicate is the server's error number for a key that is there already.
const duplicate = 1062

// vanished bounds how often a key is looked for again that was there, and was swept before it could be read.
const vanished = 10

// claim makes a key this transaction's own, for the live write of an id, or for legacy alone where that is "". Another
// transaction that has it is waited for. Where the key was used before, done is true and reply is what was answered then,
// or there is an error.
func (k *Keys) claim(ctx context.Context, conn *pool.Conn, i *strangler.Idempotency, operation, write string) (reply []byte, done bool, err error) {
	if k == nil {
		return nil, false, strangler.Fail(codes.Unimplemented, strangler.ReasonKeyRefused, "nothing keeps idempotency keys here; call it without one")
	}
	var writeID driver.Value
	if write != "" {
		writeID = write
	}
	id := idOf(i)
	for range vanished {
		_, err := conn.Exec(ctx, "INSERT INTO "+k.table+" (id, client, idempotency_key, operation, request, write_id, expires_at) VALUES (?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? SECOND)",
			[]driver.Value{id, i.Client, i.Key, operation, i.Request[:], writeID, k.seconds()})
		var number *mysql.MySQLError
		switch {
		case err == nil:
			return nil, false, nil
		case !errors.As(err, &number) || number.Number != duplicate:
			return nil, false, asError(err)
		}
		use, err := k.find(ctx, conn, id, i)
		switch {
		case err != nil:
			return nil, false, err
		case use == nil:
			continue
		}
		reply, free, err := use.Judge()
		if err != nil || !free {
			return reply, true, err
		}
		_, err = affect(ctx, conn, "UPDATE "+k.table+" SET operation = ?, request = ?, write_id = ?, reply = NULL, created_at = DEFAULT, expires_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND WHERE id = ?",
			operation, i.Request[:], writeID, k.seconds(), id)
		return nil, false, err
	}
	return nil, false, strangler.Fail(codes.Aborted, "CONTENTION", "the idempotency key could not be looked up; try again").WithRetry(time.Second)
}

func (k *Keys) seconds() int64 { return max(1, int64(k.keep/time.Second)) }

// find reads the earlier use of a key, and locks it; nil when it is gone by now.
func (k *Keys) find(ctx context.Context, conn *pool.Conn, id []byte, i *strangler.Idempotency) (use *strangler.KeyUse, err error) {
	var writeID string
	err = scan(ctx, conn, "SELECT request, expires_at < UTC_TIMESTAMP(6), reply, IFNULL(write_id, '') FROM "+k.table+" WHERE id = ? FOR UPDATE", []driver.Value{id}, func(row []driver.Value) {
		use = &strangler.KeyUse{Same: text(row[0]) == string(i.Request[:]), Expired: text(row[1]) == "1", Done: row[2] != nil, Reply: []byte(text(row[2]))}
		writeID = text(row[3])
	})
	if err != nil || writeID == "" {
		return use, maybe(err)
	}
	use.Write = &strangler.Write{ID: writeID}
	// Locked, so that what is read is what is committed: a snapshot may be older.
	err = scan(ctx, conn, "SELECT w.state, w.reason, IFNULL(w.reply, ''), "+fate(k.writes, k.settled)+", "+rested+" FROM "+k.writes+" w WHERE w.id = ? LOCK IN SHARE MODE", []driver.Value{"", "", k.seconds(), writeID}, func(row []driver.Value) {
		use.Write.State, use.Write.Reason, use.Write.Carried, use.Write.Settled = strangler.WriteState(text(row[0])), text(row[1]), text(row[3]) == "1", text(row[4]) == "1"
		use.Reply, use.Expired = []byte(text(row[2])), use.Expired && text(row[5]) == "1"
	})
	return use, maybe(err)
}

// rested says in SQL of a row w of writes whether it has been as it is for longer than keys are kept. A live write may take
// longer than that, and its key is kept from its end. It has one parameter, the seconds. Both sides are the same in each
// zone, also while its clocks change; so are times in UTC.
const rested = "UNIX_TIMESTAMP(w.changed_at) + ? < UNIX_TIMESTAMP()"

func maybe(err error) error {
	if err == nil {
		return nil
	}
	return asError(err)
}

// settle keeps the reply of what legacy has done alone with its key.
func (k *Keys) settle(ctx context.Context, conn *pool.Conn, i *strangler.Idempotency, reply []byte) error {
	if len(reply) > k.maxReply {
		return strangler.Fail(codes.FailedPrecondition, strangler.ReasonKeyRefused, "the reply has %d bytes, and at most %d are kept for an idempotency key; nothing was changed: call it without one", len(reply), k.maxReply)
	}
	_, err := affect(ctx, conn, "UPDATE "+k.table+" SET reply = ? WHERE id = ?", nonNil(reply), idOf(i))
	return err
}

// sweepAtOnce is how many keys one statement deletes: nobody waits for it, and what it writes to the log is bounded.
const sweepAtOnce = 100

// SweepKeys deletes keys that have expired, in small batches, until none is left or ctx ends. It gives how many.
func (b *Backend) SweepKeys(ctx context.Context) (n int, err error) {
	k := b.keys
	kept := "EXISTS (SELECT 1 FROM " + k.writes + " w WHERE w.id = k.write_id AND (w.state IN ('open', 'doubt') OR NOT " + rested + "))"
	old := "SELECT id FROM " + k.table + " k FORCE INDEX (age) WHERE expires_at < UTC_TIMESTAMP(6) AND (write_id IS NULL OR NOT " + kept + ") ORDER BY expires_at LIMIT ?"
	for ctx.Err() == nil {
		deleted, more, err := b.sweepSome(ctx, old, k.seconds(), int64(sweepAtOnce))
		n += deleted
		if err != nil || !more {
			return n, err
		}
	}
	return n, ctx.Err()
}

// sweepSome reads the ids of some keys, and deletes those, so that nothing else is locked on the way.
func (b *Backend) sweepSome(ctx context.Context, old string, args ...driver.Value) (n int, more bool, err error) {
	conn, err := b.pool.Acquire(ctx)
	if err != nil {
		return 0, false, err
	}
	defer conn.Release()
	var ids []driver.Value
	if err := scan(ctx, conn, old, args, func(row []driver.Value) { ids = append(ids, []byte(text(row[0]))) }); err != nil {
		return 0, false, asError(err)
	}
	if len(ids) == 0 {
		return 0, false, nil
	}
	// One that was taken again meanwhile has another time.
	deleted, err := affect(ctx, conn, "DELETE FROM "+b.keys.table+" WHERE id IN (?"+strings.Repeat(", ?", len(ids)-1)+") AND expires_at < UTC_TIMESTAMP(6)", ids...)
	return int(deleted), len(ids) == sweepAtOnce && deleted > 0, err //nolint:gosec // It is a count.
}

// fate says in SQL of a row w of writes, in two columns, whether another write-back may have brought what was done for a void
// one to legacy, and whether that is settled. It has two parameters, both the entity where the caller knows it, else "".
// While neither he nor the row does, any write-back of the same key may have.
func fate(writes, settled string) string {
	closed := "SELECT 1 FROM " + writes + " o WHERE o.capability = w.capability AND o.state = 'closed' AND o.id <> w.id AND o.changed_at >= w.created_at AND "
	return "w.state = 'void' AND IFNULL((SELECT s.carried FROM " + settled + " s WHERE s.id = w.id)," +
		" IF(w.entity <> '' OR ? <> '', EXISTS (" + closed + "o.entity = IF(w.entity <> '', w.entity, ?))," +
		" EXISTS (" + closed + "(o.routed_by = w.routed_by OR o.routed_by IS NULL OR w.routed_by IS NULL)))) <> 0," +
		" EXISTS (SELECT 1 FROM " + settled + " s WHERE s.id = w.id)"
}

// WithKeys lets the Backend keep idempotency keys.
func (b *Backend) WithKeys(k *Keys) *Backend {
	b.keys = k
	return b
}
