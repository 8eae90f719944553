package legacy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/migrations"
	"banyan.dev/banyan/strangler"
)

// counter is a lab whose writes take numbers, beside a ledger that keeps idempotency keys.
type counter struct {
	*lab
	marks  *marks
	writes *legacy.Writes
	once   strangler.Backend
}

func newCounter(t *testing.T, server *devstack.Server, change ...func(*pool.Options)) *counter {
	t.Helper()
	c := &counter{marks: newMarks(t, server)}
	for _, name := range []string{"3_writes", "4_locks", "7_idempotency", "8_settled"} {
		sql, err := migrations.Files.ReadFile("ledger/" + name + ".up.sql")
		if err != nil {
			t.Fatal(err)
		}
		c.marks.exec(t, string(sql))
	}
	c.lab = newLab(t, server, &txtar.Archive{Files: []txtar.File{
		{Name: "lab.proto", Data: []byte(`syntax = "proto3"; package lab.v1; import "google/protobuf/empty.proto";
			message Taking { string by = 1; map<string, int32> why = 2; }
			message Number { int64 number = 1; string text = 2; }
			service S {
				rpc Take(Taking) returns (Number);
				rpc Note(Taking) returns (google.protobuf.Empty);
				rpc Book(Taking) returns (google.protobuf.Empty);
			}`)},
		{Name: "schema.sql", Data: []byte("CREATE TABLE taken (number BIGINT AUTO_INCREMENT PRIMARY KEY, taker VARCHAR(1000) NOT NULL) ENGINE=InnoDB;" +
			"CREATE TABLE tokens (name VARCHAR(10) PRIMARY KEY, n INT NOT NULL) ENGINE=InnoDB; INSERT INTO tokens VALUES ('all', 1000);" +
			"CREATE PROCEDURE book(who VARCHAR(1000)) BEGIN INSERT INTO taken (taker) VALUES (who); COMMIT; END")},
		{Name: "s.sql", Data: []byte("-- rpc: lab.v1.S.Take\n-- name: token :exec\n-- expect: 1 else FAILED_PRECONDITION NONE_LEFT \"there is none left\"\n" +
			"UPDATE tokens SET n = n - 1 WHERE name = 'all' AND n > 0;\n" +
			"-- name: insert :exec\nINSERT INTO taken (taker) VALUES (:by);\n" +
			"-- name: reply :reply number=:insert.last_insert_id text=:by\n" +
			"-- rpc: lab.v1.S.Note\n-- name: insert :exec\nINSERT INTO taken (taker) VALUES (:by);\n" +
			"-- rpc: lab.v1.S.Book\n-- name: book :exec\nCALL book(:by);\n" +
			"-- name: token :exec\n-- expect: 1 else FAILED_PRECONDITION NONE_LEFT \"there is none left\"\nUPDATE tokens SET n = n - 1 WHERE name = 'all' AND n > 0;\n")},
	}}, append(change, c.marks.use)...)
	if c.faults.Failed() {
		t.Fatal(c.faults.Err())
	}
	c.backend.WithKeys(legacy.NewKeys(legacy.KeyOptions{Schema: c.marks.schema, Keep: time.Hour, MaxReply: 500}))
	c.writes = legacy.NewWrites(c.backend, c.marks.schema, "r", map[string]protoreflect.FullName{})
	c.once = c.idempotent()
	return c
}

// idempotent is what another process has before the same Backend.
func (c *counter) idempotent() strangler.Backend {
	return strangler.NewIdempotent(strangler.IdempotentOptions{Next: c.backend, Refuse: func(*strangler.Call) string { return "" }})
}

// answer is what a call came to.
type answer struct {
	json     string
	replayed bool
	err      error
}

func (a answer) String() string {
	if a.err != nil {
		e := strangler.AsError(a.err)
		return e.Code.String() + " " + e.Reason
	}
	return fmt.Sprintf("%s %t", a.json, a.replayed)
}

// take calls an operation with a key.
func (c *counter) take(ctx context.Context, t *testing.T, over strangler.Backend, method, client, key, request string) (out answer) {
	t.Helper()
	op := c.contract.Operation(protoreflect.FullName("lab.v1.S." + method))
	m := dynamicpb.NewMessage(op.Input)
	if err := protojson.Unmarshal([]byte(request), m); err != nil {
		t.Error(err)
		return answer{err: err}
	}
	call := &strangler.Call{
		Operation: op, Request: contract.FromMessage(m), RequestID: "q", Client: client,
		Header: func(name string) []string {
			if name == strangler.IdempotencyKeyHeader {
				return []string{key}
			}
			return nil
		},
		SetHeader: func(name, value string) { out.replayed = name == strangler.ReplayedHeader && value == "true" },
	}
	out.err = over.Call(ctx, call, func(r *strangler.Reply) error {
		reply, err := r.Message.Message()
		if err != nil {
			return err
		}
		text, err := protojson.Marshal(reply.Interface())
		out.json = strings.NewReplacer(`": `, `":`, `, "`, `,"`).Replace(string(text)) // it has spaces at random
		return err
	})
	return out
}

// hash gives that of a request to Take, as the gate makes it.
func (c *counter) hash(t *testing.T, key, request string) (hash [32]byte) {
	t.Helper()
	c.take(t.Context(), t, strangler.NewIdempotent(strangler.IdempotentOptions{
		Refuse: func(*strangler.Call) string { return "" },
		Next: strangler.BackendFunc(func(_ context.Context, call *strangler.Call, _ func(*strangler.Reply) error) error {
			hash = call.Idempotency.Request
			return nil
		}),
	}), "Take", "", key, request)
	return hash
}

func (c *counter) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := c.db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func (c *counter) count(t *testing.T, taker string) (n int) {
	t.Helper()
	if err := c.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM taken WHERE taker LIKE ?", taker).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAWriteWithAKeyIsDoneOnce(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			c := newCounter(t, server)
			long := strings.Repeat("x", 600)
			for _, step := range []struct {
				before, method, client, key, request, want string
			}{
				{"", "Take", "", "a", `{"by":"x"}`, `{"number":"1","text":"x"} false`},
				{"", "Take", "", "a", `{"by":"x"}`, `{"number":"1","text":"x"} true`},
				{"", "Take", "", `"a"`, `{"by":"x"}`, `{"number":"1","text":"x"} true`}, // as the draft writes it
				{"", "Take", "", "a", `{"by":"y"}`, `InvalidArgument IDEMPOTENCY_KEY_REUSED`},
				{"", "Note", "", "a", `{"by":"x"}`, `InvalidArgument IDEMPOTENCY_KEY_REUSED`},
				{"", "Take", "ann", "a", `{"by":"y"}`, `{"number":"2","text":"y"} false`}, // another client's
				{"", "Take", "", "A", `{"by":"z"}`, `{"number":"3","text":"z"} false`},
				{"", "Note", "", "n", `{"by":"n"}`, `{} false`},
				{"", "Note", "", "n", `{"by":"n"}`, `{} true`},
				{"UPDATE tokens SET n = 0", "Take", "", "b", `{"by":"b"}`, `FailedPrecondition NONE_LEFT`},
				{"UPDATE tokens SET n = 9", "Take", "", "b", `{"by":"b"}`, `{"number":"5","text":"b"} false`}, // a failure leaves nothing
				{"UPDATE tokens SET n = 0", "Take", "", "b", `{"by":"b"}`, `{"number":"5","text":"b"} true`},
				{"UPDATE tokens SET n = 9", "Take", "", "long", `{"by":"` + long + `"}`, `FailedPrecondition IDEMPOTENCY_UNSUPPORTED`},
				{"", "Take", "", "m", `{"by":"m","why":{"a":1,"b":2,"c":3}}`, `{"number":"7","text":"m"} false`},
				{"", "Take", "", "m", `{"why":{"c":3,"a":1,"b":2},"by":"m"}`, `{"number":"7","text":"m"} true`},
				{"UPDATE `" + c.marks.schema + "`.idempotency SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND", "Take", "", "a", `{"by":"other"}`, `{"number":"8","text":"other"} false`},
				{"", "Take", "", "a", `{"by":"other"}`, `{"number":"8","text":"other"} true`},
				{"", "Take", "", "", `{"by":"x"}`, `InvalidArgument INVALID_FIELD`},
				{"", "Take", "", "ä", `{"by":"x"}`, `InvalidArgument INVALID_FIELD`},
				{"", "Take", "", strings.Repeat("k", 256), `{"by":"x"}`, `InvalidArgument INVALID_FIELD`},
				{"", "Take", strings.Repeat("c", 128), strings.Repeat("k", 255), `{"by":"max"}`, `{"number":"9","text":"max"} false`},
			} {
				if step.before != "" {
					c.exec(t, step.before)
				}
				if got := c.take(t.Context(), t, c.once, step.method, step.client, step.key, step.request); got.String() != step.want {
					t.Errorf("%s %q %.60s: got %v (%v), want %s", step.method, step.key, step.request, got, got.err, step.want)
				}
			}
			if n := c.count(t, long[:1]+"%x"); n != 0 {
				t.Errorf("%d writes whose reply can't be kept are there", n)
			}
		})
	}
}

// Duplicates in one process wait in memory, those of two in the database. Who comes first does it; the others get its answer.
func TestConcurrentDuplicatesWaitForTheFirst(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			c := newCounter(t, server)
			processes := []strangler.Backend{c.once, c.idempotent(), c.idempotent()}
			for round := range 10 {
				var all sync.WaitGroup
				answers := make([]answer, 12)
				for i := range answers {
					all.Go(func() {
						answers[i] = c.take(t.Context(), t, processes[i%len(processes)], "Take", "", fmt.Sprint("k", round), fmt.Sprintf(`{"by":"k%d"}`, round))
					})
				}
				all.Wait()
				first := 0
				for _, a := range answers {
					if a.err != nil || a.json != answers[0].json {
						t.Errorf("got %v and %v (%v)", a, answers[0], a.err)
					}
					if !a.replayed {
						first++
					}
				}
				if n := c.count(t, fmt.Sprint("k", round)); n != 1 || first != 1 {
					t.Errorf("it was done %d times, %d were told so", n, first)
				}
			}
			// Who waits gives up with his deadline, and holds no connection meanwhile.
			tx, err := c.db.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "UPDATE tokens SET n = n"); err != nil {
				t.Fatal(err)
			}
			held := make(chan answer, 1)
			go func() {
				held <- c.take(t.Context(), t, c.once, "Take", "", "held", `{"by":"held"}`)
			}()
			for c.pool.Stats().InUse == 0 {
				if t.Context().Err() != nil {
					t.Fatal("it never began")
				}
			}
			short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if got := c.take(short, t, c.once, "Take", "", "held", `{"by":"held"}`); got.String() != "Aborted IDEMPOTENCY_IN_PROGRESS" {
				t.Errorf("got %v (%v)", got, got.err)
			}
			if n := c.pool.Stats().InUse; n != 1 {
				t.Errorf("%d connections are in use", n)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			if got := <-held; got.err != nil || got.replayed {
				t.Errorf("got %v (%v)", got, got.err)
			}
		})
	}
}

// A live write keeps the key with its row, whatever becomes of it, and legacy knows it, too.
func TestLiveWritesKeepKeys(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			c := newCounter(t, server)
			const request = `{"by":"live"}`
			open := func(key string) (*strangler.Write, error) {
				w := &strangler.Write{
					ID: uuid.NewString(), Capability: "c", Operation: "lab.v1.S.Take", Entity: "1", Epoch: 1, Request: []byte("r"),
					Idempotency: &strangler.Idempotency{Key: key, Request: c.hash(t, key, request)},
				}
				return w, c.writes.Open(t.Context(), w)
			}
			told := func(err error) string {
				var done *strangler.AlreadyDone
				switch {
				case err == nil:
					return "opened"
				case errors.As(err, &done):
					return "done " + string(done.Reply)
				}
				e := strangler.AsError(err)
				return e.Code.String() + " " + e.Reason
			}
			for _, test := range []struct {
				name, then     string // SQL on the write
				live, atLegacy string
			}{
				{"open", "", "Aborted IDEMPOTENCY_IN_PROGRESS", "Aborted IDEMPOTENCY_IN_PROGRESS"},
				{"closed", "state = 'closed', reply = X'0807120178'", "done \x08\x07\x12\x01x", `{"number":"7","text":"x"} true`},
				{"failed", "state = 'failed'", "opened", "Aborted IDEMPOTENCY_IN_PROGRESS"},
				{"void", "state = 'void'", "opened", "Aborted IDEMPOTENCY_IN_PROGRESS"},
				{"void, for legacy", "state = 'void'", "", `new`},
				{"in doubt", "state = 'doubt', reason = 'differs'", "Internal WRITE_IN_DOUBT", "Internal WRITE_IN_DOUBT"},
				{"expired, but open", "", "Aborted IDEMPOTENCY_IN_PROGRESS", "Aborted IDEMPOTENCY_IN_PROGRESS"},
				{"expired and closed", "changed_at = NOW(6) - INTERVAL 2 HOUR, state = 'closed', reply = ''", "opened", "Aborted IDEMPOTENCY_IN_PROGRESS"},
			} {
				w, err := open(test.name)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasPrefix(test.name, "expired") {
					c.marks.exec(t, "UPDATE idempotency SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE idempotency_key = ?", test.name)
				}
				if test.then != "" {
					c.marks.exec(t, "UPDATE writes SET "+test.then+" WHERE id = ?", w.ID)
				}
				if test.live != "" {
					if _, err := open(test.name); told(err) != test.live {
						t.Errorf("%s: at live it is %q (%v), want %q", test.name, told(err), err, test.live)
					}
				}
				short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				got := c.take(short, t, c.once, "Take", "", test.name, request)
				cancel()
				switch {
				case test.atLegacy == "new":
					if got.err != nil || got.replayed {
						t.Errorf("%s: at legacy it is %v (%v)", test.name, got, got.err)
					}
					if _, err := open(test.name); !strings.HasPrefix(told(err), "done \x08") {
						t.Errorf("%s: behind that it is %q", test.name, told(err))
					}
				case got.String() != test.atLegacy:
					t.Errorf("%s: at legacy it is %v (%v), want %s", test.name, got, got.err, test.atLegacy)
				}
			}
			// What another write has carried may have happened: nobody knows, and it is not done again.
			w, err := open("carried")
			if err != nil {
				t.Fatal(err)
			}
			other, err := open("carrier")
			if err != nil {
				t.Fatal(err)
			}
			c.marks.exec(t, "UPDATE writes SET state = 'closed', reply = '', changed_at = NOW(6) WHERE id = ?", other.ID)
			c.marks.exec(t, "UPDATE writes SET state = 'void' WHERE id = ?", w.ID)
			for _, step := range []struct{ settle, want string }{
				{"", "Aborted IDEMPOTENCY_IN_PROGRESS"},
				{"INSERT INTO settled (id, carried) VALUES (?, 1)", "DataLoss WRITE_OUTCOME_UNKNOWN"},
				{"UPDATE settled SET carried = 0 WHERE id = ?", "opened"},
			} {
				if step.settle != "" {
					c.marks.exec(t, step.settle, w.ID)
				}
				if _, err := open("carried"); told(err) != step.want {
					t.Errorf("what may have been carried is %q, want %q", told(err), step.want)
				}
			}
			if n := c.count(t, "live"); n != 1 {
				t.Errorf("legacy has done %d", n)
			}
		})
	}
}

// A stored procedure that commits takes the key's row along, without a reply. Whatever comes behind it, it is not done again.
func TestAKeyWhoseTransactionWasCutIsNotDoneAgain(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			c := newCounter(t, server)
			c.exec(t, "UPDATE tokens SET n = 0")
			if got := c.take(t.Context(), t, c.once, "Book", "", "b", `{"by":"b"}`); got.String() != "FailedPrecondition NONE_LEFT" {
				t.Errorf("got %v (%v)", got, got.err)
			}
			for _, request := range []struct{ body, want string }{
				{`{"by":"b"}`, "DataLoss WRITE_OUTCOME_UNKNOWN"},
				{`{"by":"c"}`, "InvalidArgument IDEMPOTENCY_KEY_REUSED"},
			} {
				if got := c.take(t.Context(), t, c.once, "Book", "", "b", request.body); got.String() != request.want {
					t.Errorf("%s: got %v (%v), want %s", request.body, got, got.err, request.want)
				}
			}
			if n := c.count(t, "%"); n != 1 {
				t.Errorf("it was done %d times", n)
			}
			c.exec(t, "UPDATE tokens SET n = 9")
			for range 2 { // where all goes well, the reply follows
				if got := c.take(t.Context(), t, c.once, "Book", "", "well", `{"by":"w"}`); got.err != nil {
					t.Errorf("got %v (%v)", got, got.err)
				}
			}
			if n := c.count(t, "w"); n != 1 {
				t.Errorf("it was done %d times", n)
			}
		})
	}
}
