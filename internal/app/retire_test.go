package app_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// told is what the admin API says of versions.
type told struct {
	Versions []struct {
		Package, State string
		Operations     int
		Watched        int
		CountedSince   *string `json:"counted_since"`
		Callers        []struct{ Operation, Client, Agent, Calls string }
	}
}

// callers gives who calls, as OPERATION CLIENT AGENT CALLS in the order of the alphabet.
func (t told) callers() (all []string) {
	for _, c := range t.Versions[0].Callers {
		all = append(all, strings.Join([]string{strings.TrimPrefix(c.Operation, "notes.v1.NoteService."), c.Client, c.Agent, c.Calls}, " "))
	}
	slices.Sort(all)
	return all
}

func versionsOf(t *testing.T, admin string) (got told) {
	t.Helper()
	if err := json.Unmarshal([]byte(fetch(t, "http://"+admin+"/admin/v1/versions", http.StatusOK)), &got); err != nil || len(got.Versions) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	return got
}

const notesAuth = "auth: {off: true}\n"

// startLeaving serves notes with more in their config, and with Banyan's own tables in a schema that nobody else counts in.
func startLeaving(t *testing.T, config string, changes ...string) *notes {
	t.Helper()
	server := &devstack.MariaDB(t).Server
	schema := strings.ToLower(t.Name())
	db, err := sql.Open("mysql", server.DSN(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP DATABASE IF EXISTS "+schema); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	return startNotes(t, server, append(changes, notesAuth, notesAuth+"ledger: {schema: "+schema+"}\n"+config+"\n")...)
}

// Calls of all replicas are counted, by either transport, whatever becomes of them, and also across a restart.
func TestCallersOfADeprecatedVersionAreCounted(t *testing.T) {
	n := startLeaving(t, "versions: {notes.v1: {deprecated: 2026-11-01}}")
	other := apptest.Start(t, n.dir, n.dsn)
	for _, path := range []string{"/v1/notes/1", "/v1/notes/9"} {
		if _, _, err := n.rest(t.Context(), "GET", path, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.grpc(t.Context(), "GetNote", `{"id": 1}`); err != nil {
		t.Fatal(err)
	}
	rq, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+other.REST+"/v1/notes", nil)
	if err != nil {
		t.Fatal(err)
	}
	rq.Header.Set("User-Agent", "till/7 \xff")
	answer, err := http.DefaultClient.Do(rq)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", answer, err)
	}
	_ = answer.Body.Close() // it is not read
	other.Stop()
	if err := other.Wait(t); err != nil { // it has saved what it had counted
		t.Fatal(err)
	}
	got := versionsOf(t, n.Admin)
	grpcAgent := ""
	for _, c := range got.Versions[0].Callers {
		if strings.HasPrefix(c.Agent, "grpc-go/") {
			grpcAgent = c.Agent
		}
	}
	want := []string{"GetNote  Go-http-client/1.1 2", "GetNote  " + grpcAgent + " 1", "ListNotes  till/7 ? 1"}
	slices.Sort(want)
	if v := got.Versions[0]; !slices.Equal(got.callers(), want) || v.State != "deprecated" || v.Operations != 5 || v.Watched != 5 || v.CountedSince == nil {
		t.Errorf("got %q of %+v, want %q", got.callers(), v, want)
	}
}

// What the contract marks as deprecated is counted, and nothing else.
func TestCallersOfADeprecatedOperationAreCounted(t *testing.T) {
	n := startLeaving(t, "", `get: "/v1/notes"};`, `get: "/v1/notes"}; option deprecated = true;`)
	for _, path := range []string{"/v1/notes/1", "/v1/notes"} {
		if code, body, err := n.rest(t.Context(), "GET", path, ""); err != nil || code != http.StatusOK {
			t.Fatal(code, body, err)
		}
	}
	if got := versionsOf(t, n.Admin); !slices.Equal(got.callers(), []string{"ListNotes  Go-http-client/1.1 1"}) || got.Versions[0].State != "current" || got.Versions[0].Watched != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestCallersAreNotCountedWhereThatIsOff(t *testing.T) {
	n := startLeaving(t, "versions: {notes.v1: {deprecated: 2026-11-01}}\ncallers: {enabled: false}")
	if _, _, err := n.rest(t.Context(), "GET", "/v1/notes/1", ""); err != nil {
		t.Fatal(err)
	}
	if got := versionsOf(t, n.Admin); len(got.callers()) != 0 || got.Versions[0].State != "deprecated" || got.Versions[0].CountedSince != nil {
		t.Errorf("got %+v", got)
	}
}

// A version that is gone says so over both transports, and its callers are counted all the same.
func TestAVersionThatIsGone(t *testing.T) {
	n := startLeaving(t, `versions: {notes.v1: {sunset: 2026-11-01, after_sunset: refuse, link: "https://notes.example/v2"}}`)
	answer, err := http.Get("http://" + n.REST + "/v1/notes/1")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() // what is in it is asked below
	if answer.StatusCode != http.StatusGone || answer.Header.Get("Sunset") != "Sun, 01 Nov 2026 00:00:00 GMT" || answer.Header.Get("Link") == "" {
		t.Errorf("headers: %d %v", answer.StatusCode, answer.Header)
	}
	code, body, err := n.rest(t.Context(), "GET", "/v1/notes/1", "")
	if err != nil || code != http.StatusGone || !strings.Contains(body, "VERSION_GONE") || !strings.Contains(body, "https://notes.example/v2 says what to use instead") {
		t.Errorf("REST: %d %s %v", code, body, err)
	}
	for _, unreadable := range []string{"/v1/notes/one", "/v1/notes/1?color=red"} {
		if code, body, err := n.rest(t.Context(), "GET", unreadable, ""); err != nil || code != http.StatusGone {
			t.Errorf("%s: %d %s %v", unreadable, code, body, err)
		}
	}
	if code, _, err := n.rest(t.Context(), "GET", "/v1/notes:watch", ""); err != nil || code != http.StatusGone {
		t.Errorf("a stream: %d %v", code, err)
	}
	if _, document, err := n.rest(t.Context(), "GET", "/openapi/notes.v1.json", ""); err != nil || !strings.Contains(document, "From 2026-11-01T00:00:00Z on it answers 410.") {
		t.Errorf("the document does not say it: %v", err)
	}
	_, err = n.grpc(t.Context(), "GetNote", `{"id": 1}`)
	if status.Code(err) != codes.Unimplemented || canonical(t, grpcProblem(t, err)) != canonical(t, problem(t, body)) {
		t.Errorf("gRPC: %v", err)
	}
	if got := versionsOf(t, n.Admin); got.Versions[0].State != "gone" || len(got.callers()) != 3 {
		t.Errorf("got %+v", got)
	}
}
