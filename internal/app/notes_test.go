package app_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// notes is the project of testdata/notes.txtar, running on a database of its own.
type notes struct {
	*apptest.Server
	dir, dsn string
	db       *sql.DB
}

// startNotes starts it on server, with changes to its banyan.yaml (old, new, …).
func startNotes(t *testing.T, server *devstack.Server, changes ...string) *notes {
	t.Helper()
	archive, err := os.ReadFile("testdata/notes.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := string(archive)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("%q is not in the project", changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	dir := apptest.Files(t, text)
	n := &notes{dir: dir, dsn: server.NewSchema(t)}
	if n.db, err = sql.Open("mysql", n.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.db.Close() })
	schema, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(n.dsn, string(schema)); err != nil {
		t.Fatal(err)
	}
	n.Server = apptest.Start(t, dir, n.dsn)
	return n
}

// rest makes a call over REST, and gives the status and the body.
func (n *notes) rest(ctx context.Context, method, path, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+n.REST+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// grpc makes a unary call over gRPC, and gives the reply as JSON.
func (n *notes) grpc(ctx context.Context, method, request string) (string, error) {
	op := n.Project.Contract.Operation(protoreflect.FullName("notes.v1.NoteService." + method))
	in, out := dynamicpb.NewMessage(op.Input), dynamicpb.NewMessage(op.Output)
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		return "", err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "x-request-id", "test-"+method)
	if err := n.Conn.Invoke(ctx, op.FullMethod, in, out); err != nil {
		return "", err
	}
	text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(out)
	return string(text), err
}

// canonical makes JSON texts comparable.
func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, text)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// grpcProblem gives the JSON body that REST has for an error that came over gRPC.
func grpcProblem(t *testing.T, err error) string {
	t.Helper()
	st, ok := status.FromError(err)
	if !ok {
		t.Fatalf("no gRPC error: %v", err)
	}
	var details []json.RawMessage
	for _, d := range st.Proto().GetDetails() {
		text, err := protojson.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		details = append(details, text)
	}
	text, err := json.Marshal(map[string]any{"message": st.Message(), "details": details})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// problem leaves of a REST error what gRPC has, too.
func problem(t *testing.T, body string) string {
	t.Helper()
	var p struct {
		Error struct {
			Message string            `json:"message"`
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	text, err := json.Marshal(p.Error)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// execute runs statements that each end with a line's last semicolon.
func execute(dsn, statements string) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	for statement := range strings.SplitSeq(strings.TrimSpace(statements), ";\n") {
		if _, err := db.Exec(strings.TrimSuffix(statement, ";")); err != nil {
			return err
		}
	}
	return nil
}
