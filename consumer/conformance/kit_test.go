package conformance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	_ "modernc.org/sqlite"

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/examples/notes/notesv1"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// kit is a service of notes that is built on the Go kit.
type kit struct {
	notesv1.UnimplementedNoteServiceServer
	db    *sql.DB
	store *consumer.Store
}

func newKit(t *testing.T, url string, queues int) *kit {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "notes.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(30000)&_pragma=synchronous(NORMAL)")
	if err != nil {
		t.Fatal(err)
	}
	k := &kit{db: db, store: consumer.NewStore(db, consumer.StoreOptions{})}
	if err := k.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE notes (id TEXT PRIMARY KEY, note BLOB NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	k.run(t, url, queues)
	return k
}

// run consumes until the test ends, as a process of its own would.
func (k *kit) run(t *testing.T, url string, queues int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- consumer.Run(ctx, consumer.Options{URL: url, Service: "notes", Queues: queues, Store: k.store, Apply: k.apply, Logger: slog.New(slog.DiscardHandler), Attempts: 2, Pause: time.Millisecond})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (k *kit) apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
	if e.Deleted {
		_, err := tx.ExecContext(ctx, "DELETE FROM notes WHERE id = ?", e.ID)
		return err
	}
	n := &notesv1.Note{}
	if err := consumer.Message(e, n); err != nil {
		return err
	}
	return k.put(ctx, tx, n)
}

func (k *kit) put(ctx context.Context, tx *sql.Tx, n *notesv1.Note) error {
	note, err := proto.Marshal(n)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO notes VALUES (?, ?)", n.GetId(), note)
	return err
}

func (k *kit) GetNote(ctx context.Context, r *notesv1.GetNoteRequest) (*notesv1.Note, error) {
	n := &notesv1.Note{}
	var note []byte
	err := k.db.QueryRowContext(ctx, "SELECT note FROM notes WHERE id = ?", r.GetId()).Scan(&note)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, status.Error(codes.NotFound, "no such note")
	}
	return n, errors.Join(err, proto.Unmarshal(note, n))
}

func (k *kit) EditNote(ctx context.Context, r *notesv1.EditNoteRequest) (*notesv1.Note, error) {
	return k.write(ctx, func(tx *sql.Tx, n *notesv1.Note) error {
		var note []byte
		err := tx.QueryRowContext(ctx, "SELECT note FROM notes WHERE id = ?", r.GetId()).Scan(&note)
		if errors.Is(err, sql.ErrNoRows) {
			return status.Error(codes.NotFound, "no such note")
		}
		if err := errors.Join(err, proto.Unmarshal(note, n)); err != nil {
			return err
		}
		n.Text, n.Stars = r.GetText(), n.GetStars()+1
		return nil
	})
}

func (k *kit) WriteNote(ctx context.Context, r *notesv1.WriteNoteRequest) (*notesv1.Note, error) {
	return k.write(ctx, func(tx *sql.Tx, n *notesv1.Note) error {
		proto.Merge(n, r.GetNote())
		return tx.QueryRowContext(ctx, "SELECT 'made-' || COUNT(*) FROM notes").Scan(&n.Id)
	})
}

func (k *kit) write(ctx context.Context, do func(*sql.Tx, *notesv1.Note) error) (*notesv1.Note, error) {
	tag, err := consumer.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	n := &notesv1.Note{}
	_, err = k.store.Write(ctx, "notes", tag, n, func(tx *sql.Tx) ([]consumer.EntityRef, error) {
		if err := do(tx, n); err != nil {
			return nil, err
		}
		return []consumer.EntityRef{{Entity: "notes.v1.Note", ID: n.GetId(), Key: n.GetOwner()}}, k.put(ctx, tx, n)
	})
	return n, err
}

func TestTheKitPasses(t *testing.T) {
	for name, c := range map[string]struct {
		method, request, skipped string
		queues                   int
		format                   Format
	}{
		"makes, on one queue that becomes four": {"WriteNote", making, "[repeats-of-written]", 1, JSON},
		"changes, on four that become eight":    {"EditNote", changing, "[]", 4, Protobuf},
		"is told, on as many as there can be":   {"", "", "[writes void epochs known-writes conflicts repeats-of-written way-back growing]", 64, JSON},
	} {
		t.Run(name, func(t *testing.T) {
			url := devstack.RabbitMQ(t).NewVHost(t)
			k := newKit(t, url, c.queues)
			o := options(url, serve(t, k), c.method, c.request)
			o.Format, o.Within = c.format, 30*time.Second
			o.Grow = func(context.Context) error {
				k.run(t, url, max(4, 2*c.queues))
				return nil
			}
			if got := judged(t, o); len(got[Fail]) > 0 || fmt.Sprint(got[Skip]) != c.skipped {
				t.Errorf("failed are %v, not tried %v", got[Fail], got[Skip])
			}
		})
	}
}
