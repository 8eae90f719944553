package legacy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/strangler"
)

// TestAnUncertainOutcomeIsTold kills the server while a change runs that commits itself, and while one runs in a
// transaction: the first may have happened, the second can't have.
func TestAnUncertainOutcomeIsTold(t *testing.T) {
	for name, want := range map[string]string{"S.Alone": "COMMIT_OUTCOME_UNKNOWN", "S.Both": "LEGACY_UNAVAILABLE"} {
		t.Run(name, func(t *testing.T) {
			server := devstack.OwnMariaDB(t)
			l := newLab(t, &server.Server, &txtar.Archive{Files: []txtar.File{
				{Name: "lab.proto", Data: []byte(`syntax = "proto3"; package lab.v1; import "google/protobuf/empty.proto";
					message Req { int64 id = 1; }
					service S { rpc Alone(Req) returns (google.protobuf.Empty); rpc Both(Req) returns (google.protobuf.Empty); }
					service Unserved { rpc X(Req) returns (Req); }`)},
				{Name: "schema.sql", Data: []byte("CREATE TABLE t (id BIGINT PRIMARY KEY) ENGINE=InnoDB")},
				{Name: "s.sql", Data: []byte("-- rpc: lab.v1.S.Alone\n-- name: a :exec\nINSERT INTO t (id) VALUES (:id + SLEEP(60));\n" +
					"-- rpc: lab.v1.S.Both\n-- name: a :exec\nINSERT INTO t (id) VALUES (:id + SLEEP(60));\n-- name: b :exec\nDELETE FROM t WHERE id = :id;\n")},
			}})
			if err := l.faults.Err(); err != nil {
				t.Fatal(err)
			}
			op := l.contract.Operation(protoreflect.FullName("lab.v1." + name))
			msg := dynamicpb.NewMessage(op.Input)
			if err := protojson.Unmarshal([]byte(`{"id":"1"}`), msg); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			done := make(chan error, 1)
			go func() {
				done <- l.backend.Call(ctx, &strangler.Call{Operation: op, Request: contract.FromMessage(msg)}, func(*strangler.Reply) error { return nil })
			}()
			for !strings.Contains(l.rows(t, "SELECT info FROM information_schema.processlist WHERE state = 'User sleep'"), "INSERT") {
				if ctx.Err() != nil {
					t.Fatal("the statement never ran")
				}
			}
			server.Kill()
			var e *strangler.Error
			if err := <-done; !errors.As(err, &e) || e.Code != codes.Unavailable || e.Reason != want {
				t.Fatalf("got %v, want UNAVAILABLE %s", err, want)
			}
			if (e.RetryAfter > 0) != (want == "LEGACY_UNAVAILABLE") {
				t.Errorf("a hint to retry: %s", e.RetryAfter)
			}
		})
	}
}
