package openapi_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"

	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/contract"
)

// contracts are those that the tests describe.
func contracts(t testing.TB) map[string]*contract.Contract {
	t.Helper()
	out := map[string]*contract.Contract{"edges": edgetest.Contract(t)}
	for name, dir := range map[string]string{
		"shop": "../../examples/shop/contract", "bench": "../../bench/contract",
		"sakila": "../../internal/app/testdata/sakila/contract", "awkward": "testdata",
	} {
		out[name] = load(t, contract.Dir(dir, name))
	}
	return out
}

func load(t testing.TB, root contract.Root) *contract.Contract {
	t.Helper()
	c, faults := contract.Load(t.Context(), []contract.Root{root})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func document(t testing.TB, v *contract.Version) []byte {
	t.Helper()
	doc, err := openapi.Document(v, openapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// parsed gives a document as the validator has it.
func parsed(t testing.TB, doc []byte) validator.Validator {
	t.Helper()
	model, err := libopenapi.NewDocument(doc)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(model, config.WithFormatAssertions(), config.WithContentAssertions(), config.WithContentParameterValidation(),
		config.DisablePathTree()) // it knows no {id}:cancel
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return v
}

// Every document is what the OpenAPI 3.1 meta-schema says.
func TestDocumentsAreOpenAPI(t *testing.T) {
	for name, c := range contracts(t) {
		for _, version := range c.Versions {
			t.Run(name, func(t *testing.T) {
				doc := document(t, version)
				if again := document(t, version); !bytes.Equal(doc, again) {
					t.Error("a second document of the same contract differs")
				}
				if ok, errs := parsed(t, doc).ValidateDocument(); !ok {
					for _, err := range errs {
						t.Errorf("%v", err)
						for _, cause := range err.SchemaValidationErrors {
							t.Errorf("  %s: %s", cause.FieldPath, cause.Reason)
						}
					}
				}
				checkReferences(t, doc)
				checkOperations(t, version, doc)
			})
		}
	}
}

// checkReferences holds that what is referred to is there.
func checkReferences(t *testing.T, doc []byte) {
	t.Helper()
	root := object(t, doc)
	used := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
				if resolve(root, ref) == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, m := range v {
				walk(m)
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(root)
	schemas, _ := root["components"].(map[string]any)["schemas"].(map[string]any)
	for name := range schemas {
		if !used["#/components/schemas/"+name] {
			t.Errorf("the schema %s is used by nothing", name)
		}
	}
}

// checkOperations holds that each rule of the contract is described once, under an id of its own.
func checkOperations(t *testing.T, version *contract.Version, doc []byte) {
	t.Helper()
	rules := 0
	for _, s := range version.Services {
		for _, op := range s.Operations {
			rules += len(op.Rules)
		}
	}
	ids := map[string]bool{}
	for _, op := range operations(t, doc) {
		id, _ := op.spec["operationId"].(string)
		if id == "" || ids[id] {
			t.Errorf("%s %s has the id %q, which is none of its own", op.method, op.path, id)
		}
		ids[id] = true
	}
	hidden := strings.Count(string(doc), "which OpenAPI can't tell from this")
	if len(ids)+hidden != rules {
		t.Errorf("%d operations are described, and %d said to be hidden, of %d rules", len(ids), hidden, rules)
	}
}

// The document of the awkward contract is known to the letter. UPDATE=1 writes it.
func TestAwkwardContract(t *testing.T) {
	const file = "testdata/awkward.v1.json"
	doc := document(t, contracts(t)["awkward"].Versions[0])
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, doc, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(doc, want) {
		t.Errorf("the document has changed; see the difference with UPDATE=1 and git diff %s", file)
	}
}

func TestUnservedOperationsSaySo(t *testing.T) {
	doc, err := openapi.Document(contracts(t)["bench"].Versions[0], openapi.Options{
		Unserved: func(op *contract.Operation) bool { return op.Descriptor.Name() == "GetItem" },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range operations(t, doc) {
		text, _ := op.spec["description"].(string)
		if got, want := strings.Contains(text, "answers 501"), op.spec["operationId"] == "ItemService_GetItem"; got != want {
			t.Errorf("%v: it says 501: %v, want %v", op.spec["operationId"], got, want)
		}
	}
}

// operationAt is an operation of a document.
type operationAt struct {
	method, path string
	spec         map[string]any
	// known says that OpenAPI 3.1 knows the method.
	known bool
}

func operations(t testing.TB, doc []byte) []operationAt {
	t.Helper()
	var out []operationAt
	paths, _ := object(t, doc)["paths"].(map[string]any)
	for path, item := range paths {
		for method, spec := range item.(map[string]any) {
			if method == "x-oai-additionalOperations" {
				for own, spec := range spec.(map[string]any) {
					out = append(out, operationAt{own, path, spec.(map[string]any), false})
				}
				continue
			}
			out = append(out, operationAt{strings.ToUpper(method), path, spec.(map[string]any), true})
		}
	}
	return out
}

func object(t testing.TB, text []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// resolve follows a reference within a document; nil when it leads nowhere.
func resolve(root map[string]any, ref string) map[string]any {
	at := root
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		next, ok := at[part].(map[string]any)
		if !ok {
			return nil
		}
		at = next
	}
	return at
}
