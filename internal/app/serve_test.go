package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

func TestRESTAndGRPCAnswerTheSame(t *testing.T) {
	n := startNotes(t, &devstack.MariaDB(t).Server)
	for _, c := range []struct {
		name, method, path, body string
		rpc, request             string
		status                   int
		want                     string // part of the answer
	}{
		{"a row", "GET", "/v1/notes/1", "", "GetNote", `{"id": 1}`, 200, `"big":"18446744073709551615"`},
		{"a list", "GET", "/v1/notes?pageSize=2", "", "ListNotes", `{"pageSize": 2}`, 200, `"text":"first"`},
		{"no row", "GET", "/v1/notes/9", "", "GetNote", `{"id": 9}`, 404, "NOT_FOUND"},
		{"no such text", "POST", "/v1/notes", `{"id": 4, "text": "much longer than twenty"}`, "AddNote", `{"note": {"id": 4, "text": "much longer than twenty"}}`, 400, "INVALID_ARGUMENT"},
		{"the key is taken", "POST", "/v1/notes", `{"id": 1, "text": "x"}`, "AddNote", `{"note": {"id": 1, "text": "x"}}`, 409, "ALREADY_EXISTS"},
		{"unserved", "DELETE", "/v1/notes/1", "", "Forget", `{"id": 1}`, 501, "UNSERVED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, body, err := n.rest(t.Context(), c.method, c.path, c.body)
			if err != nil || code != c.status || !strings.Contains(body, c.want) {
				t.Fatalf("REST: %d %s %v, want %d and %s", code, body, err, c.status, c.want)
			}
			reply, err := n.grpc(t.Context(), c.rpc, c.request)
			if c.status != 200 {
				if rest, grpc := canonical(t, problem(t, body)), canonical(t, grpcProblem(t, err)); rest != grpc {
					t.Errorf("errors differ:\nREST %sgRPC %s", rest, grpc)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.rpc == "ListNotes" { // tokens are sealed anew each time
				body, reply = pageToken.ReplaceAllString(body, `$1"a token"`), pageToken.ReplaceAllString(reply, `$1"a token"`)
			}
			if rest, grpc := canonical(t, body), canonical(t, reply); rest != grpc {
				t.Errorf("replies differ:\nREST %sgRPC %s", rest, grpc)
			}
		})
	}
}

// pageToken finds a token, with the blanks that protojson puts in or leaves out as each build has it.
var pageToken = regexp.MustCompile(`("nextPageToken":\s*)"[^"]+"`)

// The documents stand beside the operations, and say what is not served.
func TestDocumentsAreServedBesideOperations(t *testing.T) {
	n := startNotes(t, &devstack.MariaDB(t).Server)
	code, body, err := n.rest(t.Context(), "GET", "/openapi/notes.v1.json", "")
	if err != nil || code != 200 || !strings.Contains(body, `"/v1/notes/{id}"`) || strings.Count(body, "It is not served here: it answers 501.") != 1 {
		t.Errorf("the document: %d %v\n%s", code, err, body)
	}
	if code, body, err := n.rest(t.Context(), "GET", "/docs", ""); err != nil || code != 200 || !strings.Contains(body, "docs/docs.js") {
		t.Errorf("the page: %d %v\n%s", code, err, body)
	}
}

func TestStreamsAreServedOverBoth(t *testing.T) {
	n := startNotes(t, &devstack.MariaDB(t).Server)
	code, body, err := n.rest(t.Context(), "GET", "/v1/notes:watch", "")
	if err != nil || code != 200 || strings.Count(body, "\n") != 3 {
		t.Errorf("REST: %d %v\n%s", code, err, body)
	}
	op := n.Project.Contract.Operation("notes.v1.NoteService.WatchNotes")
	stream, err := n.Conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, op.FullMethod)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(dynamicpb.NewMessage(op.Input)); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	got := 0
	for stream.RecvMsg(dynamicpb.NewMessage(op.Output)) == nil {
		got++
	}
	if got != 3 {
		t.Errorf("gRPC: %d notes", got)
	}
}

func TestTelemetryOfARunningServer(t *testing.T) {
	n := startNotes(t, &devstack.MariaDB(t).Server)
	if _, err := n.grpc(t.Context(), "GetNote", `{"id": 9}`); err == nil {
		t.Fatal("there is a note 9")
	}
	if err := n.LogLine(`"level":"INFO"`, `"request_id":"test-GetNote"`, `"transport":"grpc"`, `"code":"NOT_FOUND"`); err != nil {
		t.Error(err)
	}
	if code, body, err := n.rest(t.Context(), "GET", "/v1/notes/one", ""); code != 400 || err != nil {
		t.Errorf("REST: %d %s %v", code, body, err)
	}
	if err := n.LogLine(`"msg":"request refused"`, `"path":"/v1/notes/one"`, `"code":"INVALID_ARGUMENT"`); err != nil {
		t.Error(err)
	}
	if code, body, err := n.rest(t.Context(), "PUT", "/v1/notes", ""); code != 405 || err != nil {
		t.Errorf("REST: %d %s %v", code, body, err)
	}
	if err := n.LogLine(`"msg":"request refused"`, `"method":"PUT"`, `"reason":"METHOD_NOT_ALLOWED"`); err != nil {
		t.Error(err)
	}
	in := dynamicpb.NewMessage(n.Project.Contract.Message("notes.v1.GetNoteRequest"))
	if err := n.Conn.Invoke(t.Context(), "/notes.v1.NoteService/Nope", in, in); err == nil {
		t.Error("there is a method Nope")
	}
	if lines := strings.Count(n.Logs(), "test-GetNote"); lines != 1 {
		t.Errorf("one call has %d lines in the log", lines)
	}
	metrics := fetch(t, "http://"+n.Admin+"/metrics", 200)
	for _, want := range []string{
		`banyan_requests_total{code="NOT_FOUND",operation="notes.v1.NoteService.GetNote",transport="grpc"} 1`,
		`banyan_requests_refused_total{reason="INVALID_FIELD",transport="rest"} 1`,
		`banyan_requests_refused_total{reason="METHOD_NOT_ALLOWED",transport="rest"} 1`,
		`banyan_requests_refused_total{reason="METHOD_NOT_FOUND",transport="grpc"} 1`,
		`banyan_requests_in_flight{transport="grpc"} 0`, "banyan_legacy_connections_max 8", "banyan_legacy_up 1",
		"go_goroutines ", "process_resident_memory_bytes ", `banyan_build_info{go="go`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	for _, at := range []string{n.REST, n.Admin} {
		if got := fetch(t, "http://"+at+"/readyz", 200); strings.TrimSpace(got) != `{"ready":true,"parts":{"legacy":"ok"}}` {
			t.Errorf("readyz: %s", got)
		}
		fetch(t, "http://"+at+"/livez", 200)
	}
	if err := serving(t.Context(), n.Conn, grpc_health_v1.HealthCheckResponse_SERVING); err != nil {
		t.Error(err)
	}
}

// serving gives an error unless gRPC's health service says what is wanted.
func serving(ctx context.Context, conn *grpc.ClientConn, want grpc_health_v1.HealthCheckResponse_ServingStatus) error {
	for _, service := range []string{"", "notes.v1.NoteService"} {
		answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		if err != nil {
			return err
		}
		if answer.GetStatus() != want {
			return fmt.Errorf("health of %q is %s, not %s", service, answer.GetStatus(), want)
		}
	}
	return nil
}

func fetch(t *testing.T, url string, want int) string {
	t.Helper()
	var body string
	apptest.Poll(t, url, func() error {
		answer, err := http.Get(url)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		body = string(text)
		if err != nil {
			return err
		}
		if answer.StatusCode != want {
			return fmt.Errorf("%d %s", answer.StatusCode, body)
		}
		return nil
	})
	return body
}
