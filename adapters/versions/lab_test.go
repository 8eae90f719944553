package versions_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/adapters/versions"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/strangler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a contract with versions, and a Backend behind that answers as it is told.
type lab struct {
	contract *contract.Contract
	versions *versions.Versions
	backend  strangler.Backend

	asked   *strangler.Call
	replies []*contract.Payload
	fail    error
}

// load compiles the archive's .proto files and its rules, and gives their faults.
func load(t testing.TB, archive *txtar.Archive) (*lab, fault.List) {
	t.Helper()
	files := fstest.MapFS{}
	var definitions []versions.Definition
	for _, f := range archive.Files {
		switch {
		case strings.HasSuffix(f.Name, ".proto"):
			files[f.Name] = &fstest.MapFile{Data: f.Data}
		case f.Name == "rules":
			definitions = parse(t, string(f.Data))
		}
	}
	c, faults := contract.Load(t.Context(), []contract.Root{{Name: "contract", FS: files}})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	l := &lab{contract: c}
	var found fault.List
	l.versions, found = versions.Compile(c, definitions, func(op *contract.Operation) bool { return op.Descriptor.Name() == "Unserved" })
	l.backend = l.versions.Backend(strangler.BackendFunc(func(_ context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
		l.asked = call
		for _, r := range l.replies {
			if err := send(&strangler.Reply{Message: r}); err != nil {
				return err
			}
		}
		return l.fail
	}), nil)
	return l, found
}

// parse reads rules, a line each:
//
//	version a.v1 of a.v2
//	apart a.v1.S.Get
//	operation a.v1.S.Get to a.v2.S.Fetch
//	message a.v1.M from a.v2.M
//	enum a.v1.E from a.v2.E
//	  field: source
//	  unset field
//	  ignored field
func parse(t testing.TB, text string) (out []versions.Definition) {
	t.Helper()
	var message *versions.MessageRule
	var enum *versions.EnumRule
	for i, line := range strings.Split(text, "\n") {
		at := func(part string) fault.Pos {
			return fault.Pos{File: "rules", Line: i + 1, Col: strings.LastIndex(line, part) + 1}
		}
		named := func(name string) versions.Named { return versions.Named{Name: name, At: at(name)} }
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "version":
			out = append(out, versions.Definition{Version: named(words[1]), Of: named(words[3])})
		case words[0] == "apart":
			d := &out[len(out)-1]
			d.Untranslated = append(d.Untranslated, named(words[1]))
		case words[0] == "operation":
			d := &out[len(out)-1]
			d.Operations = append(d.Operations, versions.OperationRule{Operation: named(words[1]), To: named(words[3])})
		case words[0] == "message" || words[0] == "enum":
			d := &out[len(out)-1]
			pair := versions.Pair{Target: protoreflect.FullName(words[1]), Source: protoreflect.FullName(words[3]), At: at(words[0])}
			message, enum = nil, nil
			if words[0] == "message" {
				d.Messages = append(d.Messages, versions.MessageRule{Pair: pair})
				message = &d.Messages[len(d.Messages)-1]
			} else {
				d.Enums = append(d.Enums, versions.EnumRule{Pair: pair})
				enum = &d.Enums[len(d.Enums)-1]
			}
		case words[0] == "unset":
			message.Unset = append(message.Unset, named(words[1]))
		case words[0] == "ignored":
			message.Ignored = append(message.Ignored, named(words[1]))
		default:
			name, source, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if !ok {
				t.Fatalf("line %d of the rules: %s", i+1, line)
			}
			if enum != nil {
				enum.Values = append(enum.Values, versions.ValueRule{Source: named(name), Target: named(source)})
			} else {
				message.Fields = append(message.Fields, versions.FieldRule{Target: named(name), Source: named(source), Exact: true})
			}
		}
	}
	return out
}

// message reads a message from JSON.
func message(t testing.TB, md protoreflect.MessageDescriptor, text string) protoreflect.Message {
	t.Helper()
	m := dynamicpb.NewMessage(md)
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func wire(t testing.TB, m protoreflect.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// call makes a call of an operation and gives the replies.
func (l *lab) call(t testing.TB, op *contract.Operation, request *contract.Payload) (replies []*contract.Payload, err error) {
	t.Helper()
	l.asked = nil
	err = l.backend.Call(t.Context(), &strangler.Call{Operation: op, Request: request, RequestID: "r", Claims: map[string]any{"sub": "me"}}, func(r *strangler.Reply) error {
		replies = append(replies, r.Message)
		return nil
	})
	return replies, err
}

func (l *lab) operation(t testing.TB, name string) *contract.Operation {
	t.Helper()
	op := l.contract.Operation(protoreflect.FullName(name))
	if op == nil {
		t.Fatalf("there is no operation %s", name)
	}
	return op
}

// told writes an error as the cases have it.
func told(err error) string {
	var e *strangler.Error
	if !errors.As(err, &e) {
		return fmt.Sprintf("%T", err)
	}
	out := e.Code.String() + " " + e.Message
	for _, v := range e.Violations {
		out += " [" + v.Field + "]"
	}
	return out
}

// same holds a message against JSON.
func same(t testing.TB, got *contract.Payload, want string) {
	t.Helper()
	b, err := got.Wire()
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(got.Descriptor())
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatalf("what came out is no %s: %v", got.Descriptor().FullName(), err)
	}
	if len(m.GetUnknown()) > 0 {
		t.Errorf("%s has unknown fields: %x", got.Descriptor().FullName(), m.GetUnknown())
	}
	if wanted := message(t, got.Descriptor(), want); !proto.Equal(m, wanted.Interface()) {
		t.Errorf("got  %s\nwant %s", protojson.MarshalOptions{UseProtoNames: true}.Format(m), want)
	}
	if again := wire(t, m); len(again) < len(b) {
		t.Errorf("%x is longer than it has to be: %x", b, again)
	}
}

// line gives a place in the cases.
func line(n int) string { return "cases:" + strconv.Itoa(n+1) }
