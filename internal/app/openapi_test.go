package app_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"banyan.dev/banyan/internal/devstack"
)

// described is what a document says, as far as these tests look at it.
type described struct {
	Security []map[string][]string `json:"security"`
	Paths    map[string]map[string]struct {
		Description string                `json:"description"`
		Deprecated  bool                  `json:"deprecated"`
		Security    []map[string][]string `json:"security"`
		Parameters  []struct {
			Ref string `json:"$ref"`
		} `json:"parameters"`
		Responses map[string]struct {
			Headers map[string]any `json:"headers"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		SecuritySchemes map[string]struct{ Type, Scheme string } `json:"securitySchemes"`
	} `json:"components"`
}

func describedBy(t *testing.T, code int, body string, err error) described {
	t.Helper()
	var out described
	if err != nil || code != 200 {
		t.Fatalf("the document: %d %v\n%s", code, err, body)
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// The documents of an older version say that its operations are served, that they will go, and which keep keys.
func TestDocumentsOfAnOlderVersion(t *testing.T) {
	n := startNotes(t, &devstack.MariaDB(t).Server, "auth: {off: true}",
		"auth: {off: true}\nversions: {notes.v0: {of: notes.v1, deprecated: 2026-01-01, sunset: 2027-01-01}}",
		"-- notes.sql --", `-- contract/notes/v0/notes.proto --
syntax = "proto3";
package notes.v0;
import "google/api/annotations.proto";
service NoteService {
  rpc GetNote(GetNoteRequest) returns (Note) {
    option (google.api.http) = {get: "/v0/notes/{id}"};
  }
  rpc AddNote(AddNoteRequest) returns (Note) {
    option (google.api.http) = {post: "/v0/notes" body: "note"};
  }
}
message GetNoteRequest { int64 id = 1; }
message AddNoteRequest { Note note = 1; }
message Note { int64 id = 1; string text = 2; uint64 big = 3; }
-- notes.sql --`)
	const key = "#/components/parameters/Idempotency-Key"
	for version, old := range map[string]bool{"v0": true, "v1": false} {
		code, body, err := n.rest(t.Context(), "GET", "/openapi/notes."+version+".json", "")
		doc := describedBy(t, code, body, err)
		if doc.Security != nil || doc.Components.SecuritySchemes != nil {
			t.Errorf("%s: nobody has to say who he is, and the document has %v", version, doc.Security)
		}
		for path, item := range doc.Paths {
			for method, op := range item {
				if unserved := strings.Contains(op.Description, "answers 501"); unserved != (method == "delete") {
					t.Errorf("%s %s: it answers 501: %v", method, path, unserved)
				}
				keeps := false
				for _, p := range op.Parameters {
					keeps = keeps || p.Ref == key
				}
				if want := method == "post"; keeps != want {
					t.Errorf("%s %s: it keeps keys: %v, want %v", method, path, keeps, want)
				}
				_, told := op.Responses["200"].Headers["Sunset"]
				if op.Deprecated != old || told != old {
					t.Errorf("%s %s: deprecated: %v, told so: %v, want %v", method, path, op.Deprecated, told, old)
				}
			}
		}
	}
}

// The documents say how callers prove who they are, and which operations are open or need more.
func TestDocumentsSayWhoMayCall(t *testing.T) {
	s := startTills(t)
	code, body := s.overREST(t, s.caller(t, "", nil), "GET", "/openapi/tills.v1.json", "")
	doc := describedBy(t, code, body, nil)
	if got := doc.Components.SecuritySchemes; got["accessToken"].Scheme != "bearer" || got["clientCertificate"].Type != "mutualTLS" {
		t.Errorf("the schemes are %v", got)
	}
	ways := func(of []map[string][]string) (out []string) {
		for _, way := range of {
			text, err := json.Marshal(way)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, string(text))
		}
		return out
	}
	for name, test := range map[string]struct {
		got  []map[string][]string
		want []string
	}{
		"all":     {doc.Security, []string{`{"accessToken":[]}`, `{"clientCertificate":[]}`}},
		"listing": {doc.Paths["/v1/sales"]["get"].Security, nil},
		"adding":  {doc.Paths["/v1/sales"]["post"].Security, []string{`{"accessToken":["sales.write"]}`}},
		"public":  {doc.Paths["/v1/hours"]["get"].Security, []string{`{}`, `{"accessToken":[]}`, `{"clientCertificate":[]}`}},
	} {
		if got := ways(test.got); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	if text := doc.Paths["/v1/sales"]["post"].Description; !strings.Contains(text, "`adding`") || strings.Contains(text, "claims") {
		t.Errorf("adding: %s", text)
	}
}
