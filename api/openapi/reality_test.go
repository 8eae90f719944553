package openapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	validator "github.com/pb33f/libopenapi-validator"
	vErrors "github.com/pb33f/libopenapi-validator/errors"
	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// replying answers every call with random replies of its operation.
type replying struct {
	random *random
}

func (b replying) Call(_ context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	if _, err := call.Request.Message(); err != nil {
		return err
	}
	replies := 1
	if call.Operation.ServerStreaming {
		replies = 3
	}
	for range replies {
		if err := send(&strangler.Reply{Message: contract.FromMessage(b.random.message(call.Operation.Output, 3))}); err != nil {
			return err
		}
	}
	return nil
}

// What a document says is what the REST edge takes and gives: requests that are made from it alone are not refused, the
// validator finds nothing wrong with them, and nothing with the replies.
func TestDocumentsAreTrue(t *testing.T) {
	for name, c := range contracts(t) {
		for _, version := range c.Versions {
			t.Run(name, func(t *testing.T) {
				opts := full(c)
				doc, err := openapi.Document(version, opts)
				if err != nil {
					t.Fatal(err)
				}
				r := rand.New(rand.NewPCG(1, 2))
				h, err := rest.New(c, replying{&random{r, c.Types}}, rest.Options{Notice: func(*contract.Operation) edge.Notice { return opts.Notice(version) }})
				if err != nil {
					t.Fatal(err)
				}
				root := object(t, doc)
				all := operations(t, doc)
				slices.SortFunc(all, func(a, b operationAt) int { return strings.Compare(a.method+a.path, b.method+b.path) })
				for _, op := range all {
					check := parsed(t, alone(t, doc, op))
					for i := range 12 {
						call := exchange{client: client{Rand: r, root: root, bare: i == 0}, op: op}
						call.run(t, h, check)
					}
				}
			})
		}
	}
}

// alone gives the document with one operation only: the validator takes /orders/7:cancel for the order 7:cancel.
func alone(t *testing.T, doc []byte, op operationAt) []byte {
	t.Helper()
	root := object(t, doc)
	root["paths"] = map[string]any{op.path: map[string]any{strings.ToLower(op.method): op.spec}}
	if !op.known {
		root["paths"] = map[string]any{}
	}
	out, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// exchange is one request made from a document, and its reply.
type exchange struct {
	client client
	op     operationAt
}

func (e *exchange) run(t *testing.T, h http.Handler, check validator.Validator) {
	t.Helper()
	target, body, head := e.client.request(e.op)
	sent := httptest.NewRequestWithContext(t.Context(), e.op.method, target, strings.NewReader(body))
	sent.Header = head
	if body != "" {
		sent.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, sent)
	shown := fmt.Sprintf("%s %s %s", e.op.method, target, body)
	if w.Code != http.StatusOK {
		t.Fatalf("%s\nis refused: %d %s", shown, w.Code, w.Body)
	}
	if !e.op.known {
		return // the validator knows no method of its kind
	}
	// OpenAPI 3.1 has no variables with slashes: the validator gets one segment.
	again := httptest.NewRequestWithContext(t.Context(), e.op.method, strings.Replace(target, deepSegments, "a", 1), strings.NewReader(body))
	again.Header = sent.Header
	if ok, errs := check.ValidateHttpRequestSync(again); !ok {
		t.Fatalf("%s\n%v", shown, causes(errs))
	}
	lines := [][]byte{w.Body.Bytes()}
	if strings.Contains(fmt.Sprint(e.op.spec["description"]), "It answers a stream") {
		lines = bytes.Split(bytes.TrimSpace(w.Body.Bytes()), []byte("\n"))
		if len(lines) != 3 {
			t.Fatalf("%s\nanswers %d lines", shown, len(lines))
		}
	}
	for _, line := range lines {
		validReply(t, check, again, w.Code, w.Result().Header, line, shown)
	}
}

// deepSegments is what a variable gets that takes all that is left of a path.
const deepSegments = "deep/er/and%20deeper"

func validReply(t *testing.T, check validator.Validator, sent *http.Request, status int, head http.Header, body []byte, shown string) {
	t.Helper()
	answer := &http.Response{StatusCode: status, Header: head, Body: io.NopCloser(bytes.NewReader(body)), Request: sent}
	if ok, errs := check.ValidateHttpResponse(sent, answer); !ok {
		t.Fatalf("%s\nanswers %d %s\n%v", shown, status, body, causes(errs))
	}
}

// Errors have the form that documents say, whatever the code.
func TestErrorsAreTrue(t *testing.T) {
	c := edgetest.Contract(t)
	h, err := rest.New(c, edgetest.Echo{}, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	check := parsed(t, document(t, c.Versions[0]))
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		sent := httptest.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("/v1/fail/%d", code), http.NoBody)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, sent)
		if w.Code < http.StatusBadRequest {
			t.Errorf("%v answers %d", code, w.Code)
		}
		validReply(t, check, sent, w.Code, w.Result().Header, w.Body.Bytes(), code.String())
	}
}

// What a document refuses, the edge refuses: the schemas are no wider than what is taken.
func TestUnknownFieldsAreRefusedByBoth(t *testing.T) {
	c := contracts(t)["shop"]
	h, err := rest.New(c, replying{&random{rand.New(rand.NewPCG(1, 2)), c.Types}}, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	check := parsed(t, document(t, c.Versions[0]))
	for _, body := range []string{
		`{"email":"a@example.com","familyName":"A","nickname":"x"}`,
		`{"email":7,"familyName":"A"}`,
		`{"email":"a@example.com","familyName":"A","labels":["x"]}`,
		`{"email":"a@example.com","familyName":"A","birthDate":{"year":"x"}}`,
		`{"email":"a@example.com","familyName":"A","salutation":"SALUTATION_DUKE"}`,
		`[]`,
	} {
		request := func() *http.Request {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/v2/customers", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			return r
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request())
		if w.Code != http.StatusBadRequest {
			t.Errorf("the edge takes %s", body)
		}
		if ok, _ := check.ValidateHttpRequestSync(request()); ok {
			t.Errorf("the document takes %s", body)
		}
	}
}

// client makes requests from a document, knowing nothing else.
type client struct {
	*rand.Rand
	root map[string]any
	bare bool // only what is required
}

func (c *client) request(op operationAt) (target, body string, head http.Header) {
	path, query := op.path, url.Values{}
	head = http.Header{}
	parameters, _ := op.spec["parameters"].([]any)
	for _, p := range parameters {
		p, _ := p.(map[string]any)
		if ref, ok := p["$ref"].(string); ok {
			p = resolve(c.root, ref)
		}
		name, _ := p["name"].(string)
		schema, _ := p["schema"].(map[string]any)
		switch required, _ := p["required"].(bool); {
		case p["in"] == "path":
			text := fmt.Sprint(c.value(schema, 3))
			if strings.Contains(fmt.Sprint(p["description"]), "All that is left of the path") {
				path = strings.ReplaceAll(path, "{"+name+"}", deepSegments)
				continue
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(text))
		case p["in"] == "header":
			head.Set(name, "4f1b0e86")
		case !required && (c.bare || c.IntN(3) > 0):
		case p["content"] != nil:
			of, _ := p["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
			query.Set(name, c.json(c.value(of, 2)))
		case p["style"] == "deepObject":
			entries, _ := c.value(schema, 2).(map[string]any)
			for k, v := range entries {
				query.Set(name+"["+k+"]", fmt.Sprint(v))
			}
		default:
			switch v := c.value(schema, 2).(type) {
			case []any:
				for _, e := range v {
					query.Add(name, fmt.Sprint(e))
				}
			default:
				query.Set(name, fmt.Sprint(v))
			}
		}
	}
	keepOne(query, parameters)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if takes, _ := op.spec["requestBody"].(map[string]any); takes != nil {
		schema, _ := takes["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
		if required, _ := takes["required"].(bool); required || !c.bare {
			body = c.json(c.value(schema, 4))
		}
	}
	if c.root["security"] != nil {
		head.Set("Authorization", "Bearer a.b.c")
	}
	return path, body, head
}

// keepOne leaves one of the parameters of which at most one may be set, as their descriptions say.
func keepOne(query url.Values, parameters []any) {
	chosen := map[string]string{} // what a description says → the first of its names that is set
	for _, p := range parameters {
		p, _ := p.(map[string]any)
		name, _ := p["name"].(string)
		for _, text := range choices.FindAllString(fmt.Sprint(p["description"]), -1) {
			one := ""
			for _, quoted := range strings.Split(text, "`") {
				if name == quoted || strings.HasPrefix(name, quoted+".") && quoted != "" {
					one = quoted
				}
			}
			for key := range query {
				if key != name && !strings.HasPrefix(key, name+"[") {
					continue
				}
				if first := chosen[text]; first != "" && first != one {
					query.Del(key)
				} else {
					chosen[text] = one
				}
			}
		}
	}
}

var choices = regexp.MustCompile("At most one of .*? is set[.]")

func (c *client) json(v any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSpace(out.String())
}

// causes gives what the validator found.
func causes(found []*vErrors.ValidationError) []error {
	var out []error
	for _, e := range found {
		out = append(out, e)
		for _, cause := range e.SchemaValidationErrors {
			out = append(out, fmt.Errorf("%s: %s", cause.FieldPath, cause.Reason))
		}
	}
	return out
}
