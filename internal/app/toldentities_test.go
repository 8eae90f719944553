package app

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/fault"
)

// loadTold loads a project with three entities, two of which have events.
func loadTold(t *testing.T, services string) (*Project, fault.List) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"banyan.yaml": `contract: {paths: [.]}
sql: [all.sql]
legacy: {dsn: u@tcp(h)/s}
broker: {url: amqp://h}
auth: {off: true}
` + services,
		"lab.proto": `syntax = "proto3"; package lab.v1;
message Box { int64 id = 1; string owner = 2; }
message Thing { int64 id = 1; int64 box = 2; }
message Note { int64 id = 1; }
message GetRequest { int64 id = 1; }
service S {
  rpc GetBox(GetRequest) returns (Box) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetThing(GetRequest) returns (Thing) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc GetNote(GetRequest) returns (Note) { option idempotency_level = NO_SIDE_EFFECTS; }
}`,
		"all.sql": `-- event: lab.v1.Box id=id on=boxes(id) via=lab.v1.S.GetBox
-- event: lab.v1.Thing id=id on=things(id) via=lab.v1.S.GetThing
-- rpc: lab.v1.S.GetBox
-- name: box :one
SELECT id, owner FROM boxes WHERE id = :id;
-- rpc: lab.v1.S.GetThing
-- name: thing :one
SELECT id, box FROM things WHERE id = :id;
-- rpc: lab.v1.S.GetNote
-- name: note :one
SELECT id FROM notes WHERE id = :id;
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return Load(t.Context(), "banyan.yaml", func(string) (string, bool) { return "", false })
}

func TestServicesAreToldOfEntities(t *testing.T) {
	p, faults := loadTold(t, `services:
  boxes: {target: "h:1", entities: {lab.v1.Thing: {key: box}, lab.v1.Box: {key: " owner"}}}
  search: {entities: {lab.v1.Box: {key: id}, lab.v1.Thing: {key: id}}}
  things: {entities: {lab.v1.Thing: {key: box}}}
  plain: {target: "h:2"}
capabilities:
  boxes: {service: boxes, operations: [lab.v1.S.GetBox], entity: lab.v1.Box, key: owner}
  notes: {service: plain, operations: [lab.v1.S.GetNote], entity: lab.v1.Note, key: id}
`)
	if all := faults.All(); len(all) > 0 {
		t.Fatal(all)
	}
	var got []string
	for _, service := range p.Config.ServiceNames() {
		of := p.entitiesOf(service)
		for _, name := range slices.Sorted(maps.Keys(of)) {
			key, err := of[name].Key(filled(p.Contract.Message(name)))
			got = append(got, fmt.Sprintln(service, name, key, err))
		}
	}
	want := []string{
		"boxes lab.v1.Box ann <nil>\n", "boxes lab.v1.Thing 8 <nil>\n",
		"search lab.v1.Box 7 <nil>\n", "search lab.v1.Thing 7 <nil>\n", "things lab.v1.Thing 8 <nil>\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
	if got := fmt.Sprint(p.told(), p.Config.ServiceNames()); got != "[lab.v1.Box lab.v1.Thing] [boxes plain search things]" {
		t.Errorf("told of %s", got)
	}
	if got := fmt.Sprint(p.onlyTold("boxes"), p.onlyTold("search"), p.onlyTold("plain")); got != "map[lab.v1.Thing:true] map[lab.v1.Box:true lab.v1.Thing:true] map[]" {
		t.Errorf("only told of %s", got)
	}
	if _, err := p.entitiesOf("search")["lab.v1.Box"].Key(dynamicpb.NewMessage(p.Contract.Message("lab.v1.Box"))); err == nil {
		t.Error("an empty key is one")
	}
}

// filled is a message whose first field is 7, and its second ann or 8.
func filled(md protoreflect.MessageDescriptor) protoreflect.Message {
	m, fields := dynamicpb.NewMessage(md), md.Fields()
	m.Set(fields.Get(0), protoreflect.ValueOfInt64(7))
	if fields.Get(1).Kind() == protoreflect.StringKind {
		m.Set(fields.Get(1), protoreflect.ValueOfString("ann"))
	} else {
		m.Set(fields.Get(1), protoreflect.ValueOfInt64(8))
	}
	return m
}

func TestWhatServicesAreToldOfIsChecked(t *testing.T) {
	_, faults := loadTold(t, `services:
  boxes:
    target: "h:1"
    entities:
      lab.v1.Box: {key: id}
      lab.v1.Crate: {key: id}
      lab.v1.Note: {key: id}
      lab.v1.Thing: {key: nobody}
  idle: {}
capabilities:
  boxes: {service: boxes, operations: [lab.v1.S.GetBox], entity: lab.v1.Box, key: owner}
  more: {service: boxes, operations: [lab.v1.S.GetThing], entity: lab.v1.Box, key: string(id)}
`)
	var got []string
	for _, f := range faults.All() {
		got = append(got, strings.ReplaceAll(f.String(), "\n", " "))
	}
	want := []string{
		"banyan.yaml:10:20: the service boxes is told of lab.v1.Box by the key id here, and by owner in capabilities.boxes.key",
		"banyan.yaml:11:7: the contract has no message lab.v1.Crate",
		"banyan.yaml:12:7: no `-- event: lab.v1.Note` in SQL",
		"banyan.yaml:13:22: services.boxes.entities.lab.v1.Thing.key: undeclared reference to 'nobody'",
		"banyan.yaml:14:3: warning: no capability moves to the service idle",
		"banyan.yaml:17:79: the service boxes is told of lab.v1.Box by the key string(id) here, and by owner in capabilities.boxes.key",
	}
	if len(got) != len(want) {
		t.Fatalf("got %s", strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %s\nwant %s", got[i], want[i])
		}
	}
}
