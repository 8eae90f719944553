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
	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/strangler"
)

// boxes is a lab with an entity of two tables, and a ledger for its live writes.
type boxes struct {
	*lab
	marks   *marks
	backend *legacy.Backend
	writes  *legacy.Writes
	event   *legacy.Event
}

func newBoxes(t *testing.T, server *devstack.Server, change ...func(*pool.Options)) *boxes {
	t.Helper()
	b := &boxes{marks: newMarks(t, server)}
	for _, name := range []string{"3_writes", "4_locks", "8_settled"} {
		sql, err := migrations.Files.ReadFile("ledger/" + name + ".up.sql")
		if err != nil {
			t.Fatal(err)
		}
		b.marks.exec(t, string(sql))
	}
	b.lab = newLab(t, server, &txtar.Archive{Files: []txtar.File{
		{Name: "lab.proto", Data: []byte(`syntax = "proto3"; package lab.v1; import "google/protobuf/empty.proto";
			message Box { int64 id = 1; string label = 2; repeated Thing things = 3; }
			message Thing { string name = 1; int32 weight = 2; }
			message GetBoxRequest { int64 id = 1; }
			service S { rpc GetBox(GetBoxRequest) returns (Box) { option idempotency_level = NO_SIDE_EFFECTS; } }
			service Unserved { rpc X(Box) returns (Box); }`)},
		{Name: "schema.sql", Data: []byte("CREATE TABLE boxes (id BIGINT PRIMARY KEY, label VARCHAR(5) NOT NULL) ENGINE=InnoDB;" +
			"CREATE TABLE things (box BIGINT, name VARCHAR(20), weight INT, PRIMARY KEY (box, name)) ENGINE=InnoDB")},
		{Name: "s.sql", Data: []byte("-- event: lab.v1.Box id=id on=boxes(id),things(box) via=lab.v1.S.GetBox\n" +
			"-- rpc: lab.v1.S.GetBox\n-- name: box :one\nSELECT id, TRIM(label) AS label FROM boxes WHERE id = :id;\n" +
			"-- name: things :many into=things\nSELECT name, weight FROM things WHERE box = :id ORDER BY name;\n" +
			"-- put: lab.v1.Box\n-- name: box :exec\nINSERT INTO boxes (id, label) VALUES (:id, :label) ON DUPLICATE KEY UPDATE label = :label;\n" +
			"-- name: clear :exec\nDELETE FROM things WHERE box = :id;\n" +
			"-- name: things :exec each=things as=thing\nINSERT INTO things (box, name, weight) VALUES (:id, :thing.name, :thing.weight);\n")},
	}}, append(change, b.marks.use)...)
	if b.faults.Failed() {
		t.Fatal(b.faults.Err())
	}
	b.backend = legacy.New(b.program, b.pool, 1<<20)
	b.event = b.program.Event("lab.v1.Box")
	b.writes = legacy.NewWrites(b.backend, b.marks.schema, "r", map[string]protoreflect.FullName{"boxes": "lab.v1.Box"})
	return b
}

// box reads one from JSON, as modern gives it.
func (b *boxes) box(t *testing.T, json string) *contract.Payload {
	t.Helper()
	m := dynamicpb.NewMessage(b.event.Entity)
	if err := protojson.Unmarshal([]byte(json), m); err != nil {
		t.Fatal(err)
	}
	return contract.FromMessage(m)
}

func (b *boxes) open(t *testing.T, entity string) *strangler.Write {
	t.Helper()
	w := &strangler.Write{ID: uuid.NewString(), Capability: "boxes", Operation: "lab.v1.S.X", Key: "k", Keyed: true, Entity: entity, Epoch: 7, Request: []byte("request")}
	if err := b.writes.Open(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAWriteIsBroughtBackWholeOrNotAtAll(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			b := newBoxes(t, server)
			gone := errors.New("modern is away")
			for _, test := range []struct {
				name   string
				before string // SQL
				modern string // JSON, "-" for none, "!" for an error
				want   string // part of the error
				rows   string
				state  strangler.WriteState
			}{
				{"a new one", "", `{"id":1,"label":"a","things":[{"name":"x","weight":3},{"name":"y"}]}`, "", "1 a x 3, 1 a y 0", "closed"},
				{"a change", "INSERT INTO things VALUES (1, 'z', 9)", `{"id":1,"label":"b","things":[{"name":"y","weight":2}]}`, "", "1 b y 2", "closed"},
				{"a label that legacy trims", "", `{"id":1,"label":"c "}`, "label", "1 b y 2", "open"},
				{"a label that is too long", "", `{"id":1,"label":"longer than five"}`, "label", "1 b y 2", "open"},
				{"modern fails", "", "!", gone.Error(), "1 b y 2", "open"},
				{"modern has none", "", "-", "nothing in SQL removes it", "1 b y 2", "open"},
				{"neither has one", "DELETE FROM boxes", "-", "", "", "closed"},
			} {
				if test.before != "" {
					b.exec(t, test.before)
				}
				w := b.open(t, "1")
				committed := b.marks.committed(t)
				err := b.writes.WriteBack(t.Context(), w, []byte("reply"), func(context.Context) (*contract.Payload, error) {
					switch test.modern {
					case "!":
						return nil, gone
					case "-":
						return nil, nil
					}
					return b.box(t, test.modern), nil
				})
				if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("%s: got %v", test.name, err)
				}
				if test.modern == "!" && !errors.Is(err, gone) {
					t.Errorf("%s: read's own error is not given as it is: %v", test.name, err)
				}
				if got := b.all(t); got != test.rows {
					t.Errorf("%s: rows %q, want %q", test.name, got, test.rows)
				}
				found, reply, err := b.writes.Find(t.Context(), w.ID, "")
				if err != nil || found.State != test.state || (string(reply) == "reply") != (test.state == strangler.WriteClosed) {
					t.Errorf("%s: found %+v, %q, %v", test.name, found, reply, err)
				}
				if n := b.marks.committed(t) - committed; (n == 1) != (test.state == strangler.WriteClosed) {
					t.Errorf("%s: %d marks were committed", test.name, n)
				}
			}
		})
	}
}

func (b *boxes) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := b.db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func (b *boxes) all(t *testing.T) string {
	t.Helper()
	var out []string
	rows, err := b.db.QueryContext(t.Context(), "SELECT b.id, b.label, COALESCE(t.name, ''), COALESCE(t.weight, 0) FROM boxes b LEFT JOIN things t ON t.box = b.id ORDER BY b.id, t.name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, weight int
		var label, name string
		if err := rows.Scan(&id, &label, &name, &weight); err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(id, " ", label, " ", name, " ", weight))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, ", ")
}

func TestWritesEndOnce(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			b := newBoxes(t, server)
			read := func(context.Context) (*contract.Payload, error) { return b.box(t, `{"id":1,"label":"a"}`), nil }
			refused := b.open(t, "2")
			for _, state := range []strangler.WriteState{strangler.WriteFailed, strangler.WriteDoubt} { // modern has done it after all
				if err := b.writes.Finish(t.Context(), refused.ID, state, "why"); err != nil {
					t.Fatal(err)
				}
			}
			w := b.open(t, "")
			w.Entity = "1" // known from the reply
			if err := b.writes.Finish(t.Context(), w.ID, strangler.WriteDoubt, "legacy can't"); err != nil {
				t.Fatal(err)
			}
			if found, _, err := b.writes.Find(t.Context(), w.ID, ""); err != nil || found.State != strangler.WriteDoubt || found.Reason != "legacy can't" ||
				found.Key != "k" || !found.Keyed || found.Epoch != 7 || string(found.Request) != "request" || found.Replica != "r" || time.Since(found.Created) > time.Hour {
				t.Errorf("found %+v, %v", found, err)
			}
			if err := b.writes.WriteBack(t.Context(), w, nil, read); err != nil {
				t.Errorf("a write in doubt can't be brought back: %v", err)
			}
			for _, state := range []strangler.WriteState{strangler.WriteVoid, strangler.WriteDoubt, strangler.WriteFailed} {
				if err := b.writes.Finish(t.Context(), w.ID, state, ""); !errors.Is(err, strangler.ErrNotOpen) {
					t.Errorf("a closed write becomes %s: %v", state, err)
				}
			}
			voided := b.open(t, "1")
			if err := b.writes.Finish(t.Context(), voided.ID, strangler.WriteVoid, strings.Repeat("é", 2000)); err != nil {
				t.Fatal(err)
			}
			if err := b.writes.WriteBack(t.Context(), voided, nil, read); !errors.Is(err, strangler.ErrNotOpen) {
				t.Errorf("a voided write is brought back: %v", err)
			}
			if found, _, err := b.writes.Find(t.Context(), uuid.NewString(), ""); found != nil || err != nil {
				t.Errorf("a write that never was: %v, %v", found, err)
			}
			long := &strangler.Write{ID: uuid.NewString(), Capability: "boxes", Key: strings.Repeat("k", 256), Keyed: true}
			if err := strangler.AsError(b.writes.Open(t.Context(), long)); err == nil || err.Reason != "KEY_TOO_LONG" {
				t.Errorf("a key that the ledger can't hold: %v", err)
			}
			b.marks.exec(t, "UPDATE writers SET token = 'gone'")
			err := strangler.AsError(b.writes.WriteBack(t.Context(), b.openUnmarked(t), nil, read))
			if err == nil || err.Reason != "WRITES_FENCED" {
				t.Errorf("a fenced replica brings back a write: %v", err)
			}
		})
	}
}

func (b *boxes) openUnmarked(t *testing.T) *strangler.Write {
	t.Helper()
	w := &strangler.Write{ID: uuid.NewString(), Capability: "boxes", Entity: "1"}
	b.marks.exec(t, "INSERT INTO writes (id, capability, operation, epoch, replica, state, request) VALUES (?, 'boxes', 'x', 1, 'r', 'open', '')", w.ID)
	return w
}

// The state is read under the entity's lock, so that the last write-back has the last state, however they are delayed.
func TestWriteBacksDontOvertakeEachOther(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			b := newBoxes(t, server)
			var mu sync.Mutex
			weight := 0
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					for range 10 {
						mu.Lock()
						weight++
						mu.Unlock()
						w := b.open(t, "1")
						if err := b.writes.WriteBack(t.Context(), w, nil, func(context.Context) (*contract.Payload, error) {
							mu.Lock()
							now := weight
							mu.Unlock()
							return b.box(t, fmt.Sprintf(`{"id":1,"label":"a","things":[{"name":"x","weight":%d}]}`, now)), nil
						}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			if got := b.all(t); got != "1 a x 80" {
				t.Errorf("legacy has %q", got)
			}
		})
	}
}

// A snapshot contains what the log has before its place, though rows are in the log before the engine commits them.
func TestASnapshotContainsThePlace(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			b := newBoxes(t, server)
			b.exec(t, "INSERT INTO boxes VALUES (1, '0'), (2, 'b'), (5, 'e')")
			for i := range 50 {
				b.exec(t, fmt.Sprintf("UPDATE boxes SET label = '%d' WHERE id = 1", i))
				at := b.end(t)
				var got []string
				for {
					got = nil
					err := b.backend.Snapshot(t.Context(), at, b.asked("1", "3", "x", "2"), func(of legacy.Asked, m protoreflect.Message, err error) error {
						if err != nil {
							return err
						}
						label := "-"
						if m != nil {
							label = m.Get(b.event.Entity.Fields().ByName("label")).String()
						}
						got = append(got, of.ID+label)
						return nil
					})
					if errors.Is(err, legacy.ErrTooOld) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					break
				}
				if want := fmt.Sprintf("[1%d 3- x- 2b]", i); fmt.Sprint(got) != want {
					t.Fatalf("got %v, want %s", got, want)
				}
			}
			ahead := b.end(t)
			ahead.Offset += 1 << 20
			if ahead.GTIDs != "" {
				ahead.GTIDs = strings.Replace(ahead.GTIDs, ":1-", ":1-9", 1)
			}
			elsewhere := b.end(t)
			elsewhere.Server = "another"
			if server, _ := b.pool.Server(); server.MariaDB {
				if err := b.backend.Snapshot(t.Context(), elsewhere, nil, nil); err == nil || errors.Is(err, legacy.ErrTooOld) {
					t.Errorf("a place in another server's log: %v", err)
				}
			}
			if err := b.backend.Snapshot(t.Context(), ahead, nil, nil); !errors.Is(err, legacy.ErrTooOld) {
				t.Errorf("a place that is not in the log yet: %v", err)
			}
			var ids []string
			for after := ""; ; {
				page, err := b.backend.List(t.Context(), b.event, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				if len(page) == 0 {
					break
				}
				ids, after = append(ids, page...), page[len(page)-1]
			}
			if fmt.Sprint(ids) != "[1 2 5]" {
				t.Errorf("ids %v", ids)
			}
		})
	}
}

// asked are boxes by their ids.
func (b *boxes) asked(ids ...string) (all []legacy.Asked) {
	for _, id := range ids {
		all = append(all, legacy.Asked{Event: b.event, ID: id})
	}
	return all
}

// end gives the end of the server's log.
func (b *boxes) end(t *testing.T) (p change.Position) {
	t.Helper()
	statement := "SHOW MASTER STATUS"
	if server, _ := b.pool.Server(); !server.MariaDB {
		statement = "SHOW BINARY LOG STATUS"
	}
	rows, err := b.db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		t.Fatalf("the server has no log: %v", err)
	}
	var rest [3]string
	into := []any{&p.File, &p.Offset, &rest[0], &rest[1], &rest[2]}
	if err := rows.Scan(into[:len(columns)]...); err != nil {
		t.Fatal(err)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	var id, port uint64
	var host string
	if err := b.db.QueryRowContext(t.Context(), "SELECT @@global.server_id, @@global.hostname, @@global.port").Scan(&id, &host, &port); err != nil {
		t.Fatal(err)
	}
	p.Server, p.GTIDs = change.MariaDBServer(id, host, port), strings.ReplaceAll(rest[2], "\n", "")
	if server, _ := b.pool.Server(); !server.MariaDB {
		if err := b.db.QueryRowContext(t.Context(), "SELECT @@global.server_uuid").Scan(&p.Server); err != nil {
			t.Fatal(err)
		}
	}
	return p
}
