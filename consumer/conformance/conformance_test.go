package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/reflect/protoreflect"

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

// judged runs the test, and gives the names of the promises by their verdicts: all, or those up to one that is named.
func judged(t *testing.T, o Options, last ...string) map[Verdict][]string {
	t.Helper()
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	out := map[Verdict][]string{}
	if err := Run(ctx, o, func(r Result) {
		t.Logf("%s %s %s", r.Verdict, r.Name, r.Detail)
		out[r.Verdict] = append(out[r.Verdict], r.Name)
		if (r.Verdict == Fail) != (r.Do != "") || (r.Verdict != Pass) != (r.Detail != "") || r.Promise == "" {
			t.Errorf("the result is %+v", r)
		}
		if slices.Contains(last, r.Name) {
			enough()
		}
	}); err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return out
}

// A service that keeps all promises passes, whichever write is tried.
func TestARightServicePasses(t *testing.T) {
	for name, c := range map[string]struct {
		method, request, skipped string
		format                   Format
		told                     bool
	}{
		"makes":             {"WriteNote", making, "[repeats-of-written growing]", "", false},
		"changes":           {"EditNote", changing, "[growing]", JSON, false},
		"takes protobuf":    {"EditNote", changing, "[growing]", Protobuf, false},
		"is told, no more":  {"", "", "[writes void epochs known-writes conflicts repeats-of-written way-back growing]", Protobuf, true},
		"reads, in a shift": {"", "", "[writes void epochs known-writes conflicts repeats-of-written way-back growing]", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			url := devstack.RabbitMQ(t).NewVHost(t)
			d := newDouble()
			d.consume(t, url)
			o := options(url, serve(t, d), c.method, c.request)
			o.Format = c.format
			if c.told {
				o.Capability = ""
			}
			got := judged(t, o)
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
		"measuring fences refused":          "fence-again",
		"ways back of parked ones":          "way-back",
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
		"announcements that free the key":   "settled",
		"announcements that drop newer":     "settled",
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
			if got := judged(t, options(url, serve(t, d), "EditNote", changing), promise); !slices.Contains(got[Fail], promise) {
				t.Errorf("failed are %v, want %s among them", got[Fail], promise)
			}
		})
	}
}

// What is new in protobuf's bytes is easily passed over.
func TestUnknownFieldsInBytesAreMissed(t *testing.T) {
	url := devstack.RabbitMQ(t).NewVHost(t)
	d := newDouble("unknown fields dropped")
	d.consume(t, url)
	o := options(url, serve(t, d), "", "")
	o.Format = Protobuf
	if got := judged(t, o, "unknown-fields"); !slices.Contains(got[Fail], "unknown-fields") {
		t.Errorf("failed are %v", got[Fail])
	}
}

// A service that throws away what waits in an old queue is found, and so are one that doesn't grow and one that can't be asked.
func TestGrowingIsWatched(t *testing.T) {
	for name, c := range map[string]struct {
		grow func(*testing.T, *double, string, func()) error
		want string
	}{
		"old queues are deleted": {func(t *testing.T, d *double, url string, stop func()) error { return d.forget(t, url, stop) }, "a fence is not answered"},
		"nothing happens":        {func(*testing.T, *double, string, func()) error { return nil }, "the service does not have them: there are 1"},
		"it can't be asked":      {func(*testing.T, *double, string, func()) error { return errors.New("no such command") }, "not asked for more queues: no such command"},
	} {
		t.Run(name, func(t *testing.T) {
			url := devstack.RabbitMQ(t).NewVHost(t)
			d := newDouble()
			stop := d.consume(t, url)
			o := options(url, serve(t, d), "", "")
			o.Grow = func(context.Context) error { return c.grow(t, d, url, stop) }
			var found Result
			if err := Run(t.Context(), o, func(r Result) {
				if r.Name == "growing" {
					found = r
				}
			}); err != nil {
				t.Fatal(err)
			}
			if found.Verdict != Fail || !strings.Contains(found.Detail, c.want) {
				t.Errorf("got %+v, want %q", found, c.want)
			}
		})
	}
}

// Whether a key is parked says the answer for its own partition: another queue's may be older than what has freed it.
func TestWhatIsParkedSaysItsPartition(t *testing.T) {
	const key = "ada"
	own := protocol.PartitionOf("notes.v1.Note", "1", key)
	other := (own + 1) % protocol.Partitions
	for _, parked := range []bool{false, true} {
		replies := make(chan amqp.Delivery, 2)
		for _, a := range []protocol.Answer{{Partitions: []int{other}, Parked: []string{key}}, {Partitions: []int{own}}} {
			if a.Fence, a.Service = "f", "notes"; parked {
				a.Parked = []string{key}
			}
			body, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			replies <- amqp.Delivery{CorrelationId: "f", Body: body}
		}
		r := &rig{Options: Options{Within: time.Minute}, replies: replies}
		a, err := r.answered(t.Context(), protocol.Fence{ID: "f", Service: "notes"}, []int{own, other}, nil)
		if err != nil || a.parked[key] != parked {
			t.Errorf("parked are %v, %v; want %v", a.parked, err, parked)
		}
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
		"the capability":     func(o *Options) { o.Capability = "" },
		"it is json":         func(o *Options) { o.Format = "xml" },
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
