package legacy_test

import (
	"slices"
	"testing"
	"time"

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
		c.marks.exec(t, "UPDATE writes SET state = ?, changed_at = NOW(6) - INTERVAL 2 HOUR WHERE id = ?", key, w.ID)
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

// A key that has expired and is used again while it is being swept stays.
func TestAKeyThatIsUsedAgainIsNotSwept(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			c := newCounter(t, server)
			if got := c.take(t.Context(), t, c.once, "Take", "", "k", `{"by":"first"}`); got.err != nil {
				t.Fatal(got.err)
			}
			c.marks.exec(t, "UPDATE idempotency SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
			tx, err := c.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "UPDATE tokens SET n = n"); err != nil {
				t.Fatal(err)
			}
			again := make(chan answer, 1)
			go func() { again <- c.take(t.Context(), t, c.once, "Take", "", "k", `{"by":"second"}`) }()
			c.waiting(t, "UPDATE tokens") // has the key
			swept := make(chan error, 1)
			go func() {
				_, err := c.backend.SweepKeys(t.Context())
				swept <- err
			}()
			c.waiting(t, "DELETE FROM `"+c.marks.schema)
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
			if got := <-again; got.err != nil || got.replayed {
				t.Errorf("got %v (%v)", got, got.err)
			}
			if err := <-swept; err != nil {
				t.Error(err)
			}
			if got := c.take(t.Context(), t, c.once, "Take", "", "k", `{"by":"second"}`); got.err != nil || !got.replayed {
				t.Errorf("got %v (%v)", got, got.err)
			}
		})
	}
}

// waiting polls until a transaction waits for a lock in a statement with a text.
func (c *counter) waiting(t *testing.T, text string) {
	t.Helper()
	tick := time.NewTicker(150 * time.Millisecond) // a server doesn't look anew for whoever asks more often
	defer tick.Stop()
	deadline := time.Now().Add(30 * time.Second)
	for {
		var found int
		if err := c.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT' AND LOCATE(?, trx_query) > 0", text).Scan(&found); err != nil {
			t.Fatal(err)
		}
		switch {
		case found > 0:
			return
		case time.Now().After(deadline):
			t.Fatalf("nobody waits in %s", text)
		}
		<-tick.C
	}
}
