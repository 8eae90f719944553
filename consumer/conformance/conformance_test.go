package conformance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	_ "modernc.org/sqlite"

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/examples/notes/notesv1"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// The writes that are tried: one that makes a note, and one that changes one.
const (
	making   = `{"note": {"owner": "${key}", "text": "written", "tags": ["new"]}}`
	changing = `{"id": "${id}", "text": "edited by ${key}"}`
)

// options are for a service of notes.
func options(url string, conn grpc.ClientConnInterface, method, request string) Options {
	note, service := (&notesv1.Note{}).ProtoReflect().Descriptor(), notesv1.File_notes_v1_notes_proto.Services().Get(0)
	get := service.Methods().ByName("GetNote")
	o := Options{
		Broker: url, Service: "notes", Capability: "notes", Conn: conn, Within: 5 * time.Second,
		Entity: Entity{Message: note, ID: note.Fields().ByName("id"), Key: note.Fields().ByName("owner"), Get: get, AskID: get.Input().Fields().ByName("id")},
		States: []json.RawMessage{json.RawMessage(`{"text": "one", "stars": "9007199254740993"}`), json.RawMessage(`{"text": "zwei", "tags": ["a", "ü"]}`)},
	}
	if method != "" {
		o.Write = &Write{Method: service.Methods().ByName(protoreflect.Name(method)), Request: json.RawMessage(request)}
	}
	return o
}

// serve serves a service of notes, and gives the way to it.
func serve(t *testing.T, service notesv1.NoteServiceServer) grpc.ClientConnInterface {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	notesv1.RegisterNoteServiceServer(server, service)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		if err := errors.Join(conn.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// judged runs the test, and gives the names of the promises by their verdicts.
func judged(t *testing.T, o Options) map[Verdict][]string {
	t.Helper()
	out := map[Verdict][]string{}
	if err := Run(t.Context(), o, func(r Result) {
		t.Logf("%s %s %s", r.Verdict, r.Name, r.Detail)
		out[r.Verdict] = append(out[r.Verdict], r.Name)
		if (r.Verdict == Fail) != (r.Do != "") || (r.Verdict != Pass) != (r.Detail != "") || r.Promise == "" {
			t.Errorf("the result is %+v", r)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A service that keeps all promises passes, whichever write is tried.
func TestARightServicePasses(t *testing.T) {
	for name, c := range map[string]struct{ method, request, skipped string }{
		"makes":   {"WriteNote", making, "[repeats-of-written]"},
		"changes": {"EditNote", changing, "[]"},
		"reads":   {"", "", "[writes void epochs known-writes conflicts repeats-of-written way-back]"},
	} {
		t.Run(name, func(t *testing.T) {
			url := devstack.RabbitMQ(t).NewVHost(t)
			d := newDouble()
			d.consume(t, url)
			got := judged(t, options(url, serve(t, d), c.method, c.request))
			if len(got[Fail]) > 0 || fmt.Sprint(got[Skip]) != c.skipped {
				t.Errorf("failed are %v, not tried %v", got[Fail], got[Skip])
			}
		})
	}
}

// Each planted fault is found, by the promise that it breaks.
func TestFaultsAreFound(t *testing.T) {
	for fault, promise := range map[string]string{
		"a queue that drops":                "queues",
		"a partition that is not bound":     "bindings",
		"no correlation id":                 "bindings",
		"fences answered early":             "fence-last",
		"no version check":                  "versions",
		"event ids forgotten":               "event-ids",
		"announcements by event id":         "announce",
		"write-backs applied":               "writeback",
		"write-backs ignored":               "writeback",
		"write-backs' ids kept":             "writeback",
		"tombstones forgotten":              "tombstones",
		"unknown fields dropped":            "unknown-fields",
		"failures dropped":                  "unknown-fields",
		"parked keys not told":              "unknown-fields",
		"requeue":                           "unknown-fields",
		"keys not parked":                   "parking",
		"announcements that settle nothing": "settled",
		"write ids forgotten":               "writes",
		"voids not told":                    "void",
		"epochs ignored":                    "epochs",
		"epochs lowered":                    "epochs",
		"refusals without a reason":         "epochs",
		"epochs before ids":                 "known-writes",
		"writes not marked":                 "conflicts",
		"conflicts applied":                 "conflicts",
		"ways back ignored":                 "way-back",
		"ways back at once":                 "way-back",
	} {
		t.Run(fault, func(t *testing.T) {
			url := devstack.RabbitMQ(t).NewVHost(t)
			d := newDouble(fault)
			d.consume(t, url)
			o := options(url, serve(t, d), "EditNote", changing)
			o.Within = 1500 * time.Millisecond
			if got := judged(t, o); !slices.Contains(got[Fail], promise) {
				t.Errorf("failed are %v, want %s among them", got[Fail], promise)
			}
		})
	}
}

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
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- consumer.Run(ctx, consumer.Options{URL: url, Service: "notes", Queues: queues, Store: k.store, Apply: k.apply, Logger: slog.New(slog.DiscardHandler), Attempts: 2, Pause: time.Millisecond})
	}()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	return k
}

func (k *kit) apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
	if e.Deleted {
		_, err := tx.ExecContext(ctx, "DELETE FROM notes WHERE id = ?", e.ID)
		return err
	}
	n := &notesv1.Note{}
	if err := protojson.Unmarshal(e.Data, n); err != nil {
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
	}{
		"makes, on one queue":        {"WriteNote", making, "[repeats-of-written]", 1},
		"changes, on several queues": {"EditNote", changing, "[]", 4},
	} {
		t.Run(name, func(t *testing.T) {
			url := devstack.RabbitMQ(t).NewVHost(t)
			k := newKit(t, url, c.queues)
			o := options(url, serve(t, k), c.method, c.request)
			o.Within = 30 * time.Second
			if got := judged(t, o); len(got[Fail]) > 0 || fmt.Sprint(got[Skip]) != c.skipped {
				t.Errorf("failed are %v, not tried %v", got[Fail], got[Skip])
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	o := options(url, serve(t, newDouble()), "", "")
	o.Within = 300 * time.Millisecond
	if got := judged(t, o); fmt.Sprint(got[Fail]) != "[queues]" || len(got[Pass]) > 0 {
		t.Errorf("a service that doesn't consume: %v", got)
	}
	o.Broker = "amqp://127.0.0.1:1"
	if err := Run(t.Context(), o, func(r Result) { t.Error(r) }); err == nil || !strings.Contains(err.Error(), "connect to the broker") {
		t.Errorf("without a broker: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for want, spoil := range map[string]func(*Options){
		"the service":        func(o *Options) { o.Service = "" },
		"its Get is missing": func(o *Options) { o.Entity.Get = nil },
		"and no notes.v1":    func(o *Options) { o.Entity.Message = o.Entity.Get.Input() },
		"is its key":         func(o *Options) { o.Entity.Key = o.Entity.ID },
		"neither a text":     func(o *Options) { o.Entity.Key = o.Entity.Message.Fields().ByName("tags") },
		"two states":         func(o *Options) { o.States = o.States[:1] },
		"is not known":       func(o *Options) { o.Write.Method = madeOf{o.Write.Method, o.Entity.Get.Input()} },
	} {
		o := options("amqp://127.0.0.1:1", &grpc.ClientConn{}, "WriteNote", making)
		spoil(&o)
		if _, err := o.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for want, spoil := range map[string]func(*Options){
		"state 2 is no notes.v1.Note": func(o *Options) { o.States[1] = json.RawMessage(`{"colour": "green"}`) },
		"differ in nothing": func(o *Options) {
			o.States[1] = json.RawMessage(`{"text": "one", "stars": "9007199254740993", "owner": "x"}`)
		},
		"the request of the write": func(o *Options) { o.Write.Request = json.RawMessage(`{"colour": "green"}`) },
	} {
		o := options("amqp://127.0.0.1:1", &grpc.ClientConn{}, "WriteNote", making)
		spoil(&o)
		if err := Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// madeOf is a method with another output.
type madeOf struct {
	protoreflect.MethodDescriptor
	output protoreflect.MessageDescriptor
}

func (m madeOf) Output() protoreflect.MessageDescriptor { return m.output }
