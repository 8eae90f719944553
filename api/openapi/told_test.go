package openapi_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/contract"
)

// full has all that documents may tell beside a contract.
func full(c *contract.Contract) openapi.Options {
	first, last := c.Operations()[0], c.Operations()[len(c.Operations())-1]
	return openapi.Options{
		Access: openapi.Access{
			Tokens: true, Certificates: true,
			Public: func(op *contract.Operation) bool { return op == first },
			Rules: func(op *contract.Operation) []openapi.Rule {
				if op != last {
					return nil
				}
				return []openapi.Rule{{Name: "writes", Scopes: []string{"all.write"}}, {Name: "own", Scopes: []string{"all.write", "b"}, Conditional: true}}
			},
		},
		Keys: func(op *contract.Operation) bool { return !op.ServerStreaming }, KeysKept: 24 * time.Hour,
		Notice: func(*contract.Version) edge.Notice {
			return edge.Notice{
				Deprecated: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), Sunset: time.Date(2027, 12, 1, 0, 0, 0, 0, time.UTC), Link: "https://shop.example/v2",
			}
		},
	}
}

func parts(t testing.TB, doc []byte, path ...string) string {
	t.Helper()
	var at any = object(t, doc)
	for _, name := range path {
		inner, _ := at.(map[string]any)
		at = inner[name]
	}
	text, err := json.Marshal(at)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// All that is told is OpenAPI, and what is told of nobody is not there.
func TestToldDocumentsAreOpenAPI(t *testing.T) {
	for name, c := range contracts(t) {
		for _, version := range c.Versions {
			t.Run(name, func(t *testing.T) {
				doc, err := openapi.Document(version, full(c))
				if err != nil {
					t.Fatal(err)
				}
				if ok, errs := parsed(t, doc).ValidateDocument(); !ok {
					t.Errorf("%v", causes(errs))
				}
				checkReferences(t, doc)
				for _, op := range operations(t, doc) {
					if op.spec["deprecated"] != true {
						t.Errorf("%s %s is not deprecated", op.method, op.path)
					}
				}
			})
		}
	}
	plain := string(document(t, contracts(t)["shop"].Versions[0]))
	for _, part := range []string{"security", "Idempotency", "Deprecation", "Sunset", "WWW-Authenticate"} {
		if strings.Contains(plain, part) {
			t.Errorf("where nothing is told there is %s", part)
		}
	}
}

func TestWhoMayCall(t *testing.T) {
	c := load(t, contract.Dir("../../internal/app/testdata/sakila/contract", "sakila"))
	const token, certificate, both = `{"accessToken":[]}`, `{"clientCertificate":[]}`, `{"accessToken":[],"clientCertificate":[]}`
	for name, test := range map[string]struct {
		access              openapi.Access
		all, public, scoped string
	}{
		"off":          {},
		"tokens":       {access: openapi.Access{Tokens: true}, all: `[` + token + `]`, public: `[{},` + token + `]`, scoped: `[{"accessToken":["w"]}]`},
		"certificates": {access: openapi.Access{Certificates: true}, all: `[` + certificate + `]`, public: `[{},` + certificate + `]`, scoped: `[` + certificate + `]`},
		"either": {
			access: openapi.Access{Tokens: true, Certificates: true}, all: `[` + token + `,` + certificate + `]`,
			public: `[{},` + token + `,` + certificate + `]`, scoped: `[{"accessToken":["w"]}]`,
		},
		"a certificate, always": {
			access: openapi.Access{Tokens: true, Certificates: true, CertificateRequired: true}, all: `[` + both + `,` + certificate + `]`,
			public: `[` + certificate + `,` + both + `]`, scoped: `[{"accessToken":["w"],"clientCertificate":[]}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			security := func(access openapi.Access, path ...string) string {
				doc, err := openapi.Document(c.Versions[0], openapi.Options{Access: access})
				if err != nil {
					t.Fatal(err)
				}
				if ok, errs := parsed(t, doc).ValidateDocument(); !ok {
					t.Errorf("%v", causes(errs))
				}
				if len(path) == 0 {
					return parts(t, doc, "security")
				}
				text, err := json.Marshal(operations(t, doc)[0].spec["security"]) // all have the same
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
			or := func(want string) string {
				if want == "" {
					return "null"
				}
				return want
			}
			open, scoped := test.access, test.access
			open.Public = func(*contract.Operation) bool { return true }
			scoped.Rules = func(*contract.Operation) []openapi.Rule { return []openapi.Rule{{Name: "r", Scopes: []string{"w"}}} }
			if got := security(test.access); got != or(test.all) {
				t.Errorf("all: %s, want %s", got, or(test.all))
			}
			if got := security(test.access, "an operation"); got != "null" {
				t.Errorf("an operation like all: %s", got)
			}
			if got := security(open, "an operation"); got != or(test.public) {
				t.Errorf("public: %s, want %s", got, or(test.public))
			}
			if got := security(scoped, "an operation"); got != or(test.scoped) {
				t.Errorf("scoped: %s, want %s", got, or(test.scoped))
			}
		})
	}
}

func TestKeysAndNoticesAreDescribed(t *testing.T) {
	c := contracts(t)["shop"]
	doc, err := openapi.Document(c.Versions[0], full(c))
	if err != nil {
		t.Fatal(err)
	}
	version := c.Versions[0]
	reads := map[string]bool{}
	for _, s := range version.Services {
		for _, op := range s.Operations {
			reads[string(s.Descriptor.Name())+"_"+string(op.Descriptor.Name())] = op.Read
		}
	}
	for _, op := range operations(t, doc) {
		id, _ := op.spec["operationId"].(string)
		parameters, err := json.Marshal(op.spec["parameters"])
		if err != nil {
			t.Fatal(err)
		}
		headers, err := json.Marshal(op.spec["responses"].(map[string]any)["200"].(map[string]any)["headers"])
		if err != nil {
			t.Fatal(err)
		}
		keeps := strings.Contains(string(parameters), "#/components/parameters/Idempotency-Key")
		marks := strings.Contains(string(headers), "#/components/headers/Idempotency-Replayed")
		if want := !reads[id]; keeps != want || marks != want {
			t.Errorf("%s: it takes a key: %v, and marks replays: %v; want %v", id, keeps, marks, want)
		}
	}
	for at, want := range map[string]string{
		"Deprecation": "@1796083200", "Sunset": "Wed, 01 Dec 2027 00:00:00 GMT", "Link": `<https://shop.example/v2>; rel=\"deprecation sunset\"; type=\"text/html\"`,
	} {
		if got := parts(t, doc, "components", "headers", at); !strings.Contains(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(got), want) {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
		if got := parts(t, doc, "components", "responses", "Error", "headers", at); !strings.Contains(got, "#/components/headers/"+at) {
			t.Errorf("errors have no %s: %s", at, got)
		}
	}
	const says = "This version is deprecated from 2026-12-01 on, and may be gone from 2027-12-01 on."
	if got := parts(t, doc, "info", "description"); !strings.Contains(got, says) {
		t.Errorf("the description is %s", got)
	}
	refusing := full(c)
	refusing.Notice = func(v *contract.Version) edge.Notice {
		n := full(c).Notice(v)
		n.Refused = true
		return n
	}
	refused, err := openapi.Document(version, refusing)
	if err != nil {
		t.Fatal(err)
	}
	if got := parts(t, refused, "info", "description"); !strings.Contains(got, "and is gone from 2027-12-01 on.") {
		t.Errorf("the description of a version that will be refused is %s", got)
	}
	text := parts(t, doc, "components", "parameters", "Idempotency-Key", "description")
	for _, want := range []string{"IDEMPOTENCY_KEY_REUSED", "IDEMPOTENCY_IN_PROGRESS", "WRITE_OUTCOME_UNKNOWN", "kept for 24h."} {
		if !strings.Contains(text, want) {
			t.Errorf("the key's description has no %s: %s", want, text)
		}
	}
}
