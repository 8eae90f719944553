package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/fault"
)

// oldTills adds tills.v0, a translation of tills.v1.
func oldTills() []string {
	return []string{
		"auth:\n", `versions:
  tills.v0: {of: tills.v1}
auth:
`,
		"-- tills.sql --\n", `-- contract/tills/v0/tills.proto --
syntax = "proto3";
package tills.v0;
import "google/api/annotations.proto";
service TillService {
  rpc AddSale(AddSaleRequest) returns (AddSaleResponse) {
    option (google.api.http) = {post: "/v0/sales" body: "sale"};
  }
}
message Sale { int64 id = 1; string shop = 2; int32 cents = 3; }
message AddSaleRequest { Sale sale = 1; }
message AddSaleResponse {}
-- tills.sql --
`,
	}
}

// What an operation requires can't be avoided by calling an older one that is a translation of it.
func TestOlderVersionsRequireWhatNewerOnesDo(t *testing.T) {
	s := startTills(t, oldTills()...)
	op := s.Project.Contract.Operation("tills.v0.TillService.AddSale")
	for name, test := range map[string]struct {
		claims map[string]any
		body   string
		rest   int
	}{
		"no scope":                {nil, `{"id":8,"cents":1}`, 403},
		"a condition that is not": {map[string]any{"scope": "sales.write", "limit": 500}, `{"id":8,"cents":500}`, 403},
		"all of it":               {map[string]any{"scope": "sales.write", "limit": 500}, `{"id":8,"cents":499}`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.caller(t, s.token(t, "berlin", test.claims), nil)
			code, body := s.overREST(t, c, "POST", "/v0/sales", test.body)
			if code != test.rest {
				t.Errorf("REST answers %d, want %d: %s", code, test.rest, body)
			}
			if test.rest == 200 {
				return
			}
			if got, reply := s.invoke(t, c, op, `{"sale":`+test.body+`}`); got != codes.PermissionDenied {
				t.Errorf("gRPC answers %s: %s", got, reply)
			}
		})
	}
}

// An older operation is not public where the newer one that answers it requires something.
func TestOlderVersionsArePublicOnlyAsNewerOnes(t *testing.T) {
	archive, err := os.ReadFile("testdata/tills.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(append(oldTills(), "public: [", "public: [tills.v0.TillService.AddSale, ")...).Replace(string(archive))
	_, faults := app.Load(t.Context(), filepath.Join(apptest.Files(t, text), "banyan.yaml"), func(string) (string, bool) { return "u@tcp(h)/s", true })
	if got := faults.Err(); got == nil || !strings.Contains(got.Error(), "tills.v0.TillService.AddSale is public, and its callers need something") {
		t.Errorf("it is told: %v", got)
	}
}

// Who lets everybody call everything is told to say so.
func TestEverythingIsPublicOnlyLoudly(t *testing.T) {
	archive, err := os.ReadFile("testdata/tills.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for public, want := range map[string]bool{"'*'": true, "tills.v1.TillService.*": true, "tills.v1.TillService.GetHours": false} {
		text := strings.NewReplacer("tills.v1.TillService.GetHours]", public+"]", "  require:\n", "  # ", "    adding:", "#").Replace(string(archive))
		_, faults := app.Load(t.Context(), filepath.Join(apptest.Files(t, text), "banyan.yaml"), func(string) (string, bool) { return "u@tcp(h)/s", true })
		got := false
		for _, f := range faults.All() {
			got = got || f.Severity == fault.Warning && strings.Contains(f.String(), "every operation is public")
		}
		if got != want {
			t.Errorf("%s: it is told %v: %v", public, got, faults.All())
		}
	}
}
