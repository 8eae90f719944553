package legacy_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler"
)

func TestKeysAreSwept(t *testing.T) {
	c := newCounter(t, devstack.Databases(t)[0])
	for i := range 250 {
		c.marks.exec(t, "INSERT INTO idempotency (id, client, idempotency_key, operation, request, reply, expires_at) VALUES (UNHEX(SHA2(?, 256)), '', ?, 'x', REPEAT('r', 32), '', UTC_TIMESTAMP(6) - INTERVAL 1 SECOND)", i, i)
	}
	for _, key := range []string{"open", "closed"} {
		w := &strangler.Write{ID: uuid.NewString(), Capability: "c", Operation: "x", Epoch: 1, Idempotency: &strangler.Idempotency{Key: key}}
		if err := c.writes.Open(t.Context(), w); err != nil {
			t.Fatal(err)
		}
		if key == "closed" {
			c.marks.exec(t, "UPDATE writes SET state = 'closed', changed_at = NOW(6) - INTERVAL 2 HOUR WHERE id = ?", w.ID)
		}
	}
	if got := c.take(t.Context(), t, c.once, "Take", "", "kept", `{"by":"kept"}`); got.err != nil {
		t.Fatal(got.err)
	}
	c.marks.exec(t, "UPDATE idempotency SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE idempotency_key IN ('open', 'closed')")
	n, err := c.backend.SweepKeys(t.Context())
	if err != nil || n != 251 {
		t.Errorf("swept %d: %v", n, err)
	}
	rows, err := c.marks.db.QueryContext(t.Context(), "SELECT idempotency_key FROM idempotency ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var left []string
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			t.Fatal(err)
		}
		left = append(left, key)
	}
	if err := rows.Err(); err != nil || !slices.Equal(left, []string{"kept", "open"}) {
		t.Errorf("left are %v: %v", left, err)
	}
}

// Where nothing keeps keys, a write with one is refused rather than done.
func TestWithoutALedgerKeysAreRefused(t *testing.T) {
	c := newCounter(t, devstack.Databases(t)[0])
	c.backend.WithKeys(nil)
	if got := c.take(t.Context(), t, c.once, "Take", "", "k", `{"by":"x"}`); strangler.AsError(got.err) == nil || strangler.AsError(got.err).Code != codes.Unimplemented {
		t.Errorf("got %v", got)
	}
	if n := c.count(t, "x"); n != 0 {
		t.Errorf("it was done %d times", n)
	}
}
