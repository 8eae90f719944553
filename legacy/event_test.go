package legacy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/strangler"
)

// What can't be brought back is told before a capability goes live, with what is missing in SQL.
func TestCanWriteBack(t *testing.T) {
	l := newLab(t, devstack.Databases(t)[0], &txtar.Archive{Files: []txtar.File{
		{Name: "lab.proto", Data: []byte(`syntax = "proto3"; package lab.v1;
			message Box { int64 id = 1; }
			message Logged { int64 id = 1; }
			message Can { int64 id = 1; }
			message Crate { int64 id = 1; }
			message ByID { int64 id = 1; }
			service S {
				rpc GetBox(ByID) returns (Box) { option idempotency_level = NO_SIDE_EFFECTS; }
				rpc GetLogged(ByID) returns (Logged) { option idempotency_level = NO_SIDE_EFFECTS; }
				rpc GetCan(ByID) returns (Can) { option idempotency_level = NO_SIDE_EFFECTS; }
				rpc SetBox(Box) returns (Box);
				rpc SetBoxes(Box) returns (Box);
				rpc Log(Logged) returns (Logged);
			}
			service Unserved { rpc X(Crate) returns (Box); }`)},
		{Name: "schema.sql", Data: []byte("CREATE TABLE boxes (id BIGINT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE log (id BIGINT PRIMARY KEY) ENGINE=MyISAM")},
		{Name: "s.sql", Data: []byte("-- event: lab.v1.Box id=id on=boxes(id) via=lab.v1.S.GetBox\n" +
			"-- event: lab.v1.Logged id=id on=boxes(id) via=lab.v1.S.GetLogged\n" +
			"-- event: lab.v1.Can id=id on=boxes(id) via=lab.v1.S.GetCan\n" +
			"-- rpc: lab.v1.S.GetBox\n-- name: a :one\nSELECT id FROM boxes WHERE id = :id;\n" +
			"-- rpc: lab.v1.S.GetLogged\n-- name: a :one\nSELECT id FROM boxes WHERE id = :id;\n" +
			"-- rpc: lab.v1.S.GetCan\n-- name: a :one\nSELECT id FROM boxes WHERE id = :id;\n" +
			"-- rpc: lab.v1.S.SetBox\n-- name: a :exec\nREPLACE INTO boxes (id) VALUES (:id);\n-- name: reply :call GetBox id=:id\n" +
			"-- rpc: lab.v1.S.SetBoxes\n-- name: reply :call SetBox id=:id\n" +
			"-- rpc: lab.v1.S.Log\n-- name: a :exec\nREPLACE INTO log (id) VALUES (:id);\n-- name: reply :call GetLogged id=:id\n" +
			"-- put: lab.v1.Box\n-- name: a :exec\nREPLACE INTO boxes (id) VALUES (:id);\n" +
			"-- put: lab.v1.Logged\n-- name: a :exec\nREPLACE INTO boxes (id) VALUES (:id);\n-- name: b :exec\nREPLACE INTO log (id) VALUES (:id);\n" +
			"-- put: lab.v1.Crate\n-- name: a :exec\nREPLACE INTO boxes (id) VALUES (:id);\n")},
	}})
	if l.faults.Failed() {
		t.Fatal(l.faults.Err())
	}
	var events []string
	for _, e := range l.program.Events() {
		events = append(events, fmt.Sprintf("%s by %s via %s of %s", e.Entity.Name(), e.ID.Name(), e.Get.Name, e.Tables[0].Table))
	}
	if got := strings.Join(events, ", "); got != "Box by id via lab.v1.S.GetBox of boxes, Logged by id via lab.v1.S.GetLogged of boxes, Can by id via lab.v1.S.GetCan of boxes" {
		t.Errorf("events: %s", got)
	}
	for entity, want := range map[protoreflect.FullName][]string{
		"lab.v1.Box":    nil,
		"lab.v1.Logged": {"without transactions"},
		"lab.v1.Can":    {"-- put: lab.v1.Can"},
		"lab.v1.Crate":  {"-- event: lab.v1.Crate"},
		"lab.v1.Jar":    {"-- put: lab.v1.Jar", "-- event: lab.v1.Jar"},
	} {
		got := l.program.CanWriteBack(entity)
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && strings.Contains(got[i], want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", entity, got, want)
		}
	}
	if got := fmt.Sprint(l.program.Writers("lab.v1.Box"), l.program.Writers("lab.v1.Jar")); got != "[lab.v1.S.SetBox lab.v1.S.SetBoxes] []" {
		t.Errorf("writers: %s", got)
	}
	if got := fmt.Sprint(l.program.Putters("lab.v1.Box"), l.program.Putters("lab.v1.Jar")); got != "[lab.v1.Logged lab.v1.Crate] []" {
		t.Errorf("putters: %s", got)
	}
	if got := fmt.Sprint(l.program.Sticky("lab.v1.S.Log"), l.program.Sticky("lab.v1.S.SetBox"), l.program.Sticky("lab.v1.S.No")); got != "true false false" {
		t.Errorf("sticky: %s", got)
	}
	writes := legacy.NewWrites(l.backend, l.schema, "r", map[string]protoreflect.FullName{"cans": "lab.v1.Can", "boxes": "lab.v1.Box"})
	for _, test := range []struct{ capability, entity, reason string }{{"cans", "1", "NO_PUT"}, {"jars", "1", "NO_PUT"}, {"boxes", "", "NO_ENTITY"}} {
		err := strangler.AsError(writes.WriteBack(t.Context(), &strangler.Write{ID: "w", Capability: test.capability, Entity: test.entity}, nil, func(context.Context) (*contract.Payload, error) {
			t.Error("modern is asked for what can't be brought back")
			return nil, nil
		}))
		if err == nil || err.Reason != test.reason {
			t.Errorf("%s %q: %v, want %s", test.capability, test.entity, err, test.reason)
		}
	}
}
