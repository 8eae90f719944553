package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// keyed adds a note over REST under an idempotency key, and says whether the answer is marked as one of before.
func (n *notes) keyed(t *testing.T, key, body string) (code int, answer string, replayed bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.REST+"/v1/notes", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(text), got.Header.Get("Idempotency-Replayed") == "true"
}

// keyedGRPC is keyed over gRPC.
func (n *notes) keyedGRPC(t *testing.T, key, request string) (answer string, replayed bool, err error) {
	t.Helper()
	op := n.Project.Contract.Operation("notes.v1.NoteService.AddNote")
	in, out := dynamicpb.NewMessage(op.Input), dynamicpb.NewMessage(op.Output)
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		t.Fatal(err)
	}
	var header metadata.MD
	if err := n.Conn.Invoke(metadata.AppendToOutgoingContext(t.Context(), "idempotency-key", key), op.FullMethod, in, out, grpc.Header(&header)); err != nil {
		return "", false, err
	}
	text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(out)
	return string(text), strings.Join(header.Get("idempotency-replayed"), ",") == "true", err
}

// A write is repeated by either transport, and by another process.
func TestAWriteIsRepeatedByItsKey(t *testing.T) {
	server := devstack.Databases(t)[0]
	noLeaks(t)
	n := startNotes(t, server)
	const body, request = `{"id": "10", "text": "once"}`, `{"note": {"id": "10", "text": "once"}}`
	code, first, replayed := n.keyed(t, "k-rest", body)
	if code != http.StatusOK || replayed {
		t.Fatalf("%d %s, replayed is %t", code, first, replayed)
	}
	if code, again, replayed := n.keyed(t, "k-rest", body); code != http.StatusOK || again != first || !replayed {
		t.Errorf("%d %s, replayed is %t", code, again, replayed)
	}
	if again, replayed, err := n.keyedGRPC(t, "k-rest", request); err != nil || canonical(t, again) != canonical(t, first) || !replayed {
		t.Errorf("over gRPC %s, replayed is %t, %v", again, replayed, err)
	}
	if code, text, _ := n.keyed(t, "k-rest", `{"id": "11", "text": "other"}`); code != http.StatusBadRequest || !strings.Contains(text, "IDEMPOTENCY_KEY_REUSED") || !strings.Contains(text, `"field":"idempotency-key"`) {
		t.Errorf("another request: %d %s", code, text)
	}
	if _, _, err := n.keyedGRPC(t, "k-rest", `{"note": {"id": "11"}}`); status.Code(err) != codes.InvalidArgument {
		t.Errorf("another request over gRPC: %v", err)
	}
	if code, text, _ := n.keyed(t, "", body); code != http.StatusBadRequest || !strings.Contains(text, "such as a UUID") {
		t.Errorf("an empty key: %d %s", code, text)
	}
	if code, text, err := n.rest(t.Context(), http.MethodPost, "/v1/notes", body); err != nil || code != http.StatusConflict {
		t.Errorf("without a key: %d %s, %v", code, text, err)
	}
	n.Stop()
	if err := n.Wait(t); err != nil {
		t.Fatal(err)
	}
	n.Server = apptest.Start(t, n.dir, n.dsn)
	if code, again, replayed := n.keyed(t, "k-rest", body); code != http.StatusOK || again != first || !replayed {
		t.Errorf("by another process: %d %s, replayed is %t", code, again, replayed)
	}
}

// Where a key can't be kept, a write with one is refused, and not done.
func TestKeysThatCantBeKept(t *testing.T) {
	server := devstack.Databases(t)[0]
	for _, test := range []struct{ name, old, changed, why string }{
		{"off", "log: {level: debug}", "log: {level: debug}\nidempotency: {enabled: false}", "turned off"},
		{"MyISAM", "big BIGINT UNSIGNED NOT NULL);", "big BIGINT UNSIGNED NOT NULL) ENGINE=MyISAM;", "no transactions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			noLeaks(t)
			n := startNotes(t, server, test.old, test.changed)
			if code, text, _ := n.keyed(t, "k-"+test.name, `{"id": "10", "text": "never"}`); code != http.StatusNotImplemented || !strings.Contains(text, "IDEMPOTENCY_UNSUPPORTED") || !strings.Contains(text, test.why) {
				t.Errorf("%d %s", code, text)
			}
			if code, text, err := n.rest(context.Background(), http.MethodGet, "/v1/notes/10", ""); err != nil || code != http.StatusNotFound {
				t.Errorf("it was done: %d %s, %v", code, text, err)
			}
			if code, text, err := n.rest(context.Background(), http.MethodPost, "/v1/notes", `{"id": "10"}`); err != nil || code != http.StatusOK {
				t.Errorf("without a key: %d %s, %v", code, text, err)
			}
		})
	}
}
