package alltypes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/internal/app/apptest"
)

// answer is what a call gives: a JSON body, or why not.
type answer struct {
	id     string // the request's
	body   string
	failed string
}

// transport makes calls to a server: an RPC's name without Get or Put before it, with a request as JSON.
type transport struct {
	name string
	get  func(n int, f *field, id int64) answer
	put  func(n int, f *field, body string) answer
}

// transports gives REST and gRPC.
func transports(t *testing.T, s *apptest.Server) []transport {
	number := 0
	next := func(kind string) string {
		number++
		return kind + "-" + strconv.Itoa(number) + "-"
	}
	return []transport{
		{
			name: "rest",
			get: func(n int, f *field, id int64) answer {
				return rest(t, s, next("rest"), http.MethodGet, path(n, f)+"/"+strconv.FormatInt(id, 10), "")
			},
			put: func(n int, f *field, body string) answer {
				return rest(t, s, next("rest"), http.MethodPost, path(n, f), body)
			},
		},
		{
			name: "grpc",
			get: func(n int, f *field, id int64) answer {
				return call(t, s, next("grpc"), "Get"+message(n, f), fmt.Sprintf(`{"id":"%d"}`, id))
			},
			put: func(n int, f *field, body string) answer {
				return call(t, s, next("grpc"), "Put"+message(n, f), body)
			},
		},
	}
}

func rest(t *testing.T, s *apptest.Server, id, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.REST+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", id)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return answer{id: id, failed: string(text)}
	}
	return answer{id: id, body: string(text)}
}

func call(t *testing.T, s *apptest.Server, id, method, request string) answer {
	t.Helper()
	op := s.Project.Contract.Operation(protoreflect.FullName("cells.v1.Cells." + method))
	in, out := dynamicpb.NewMessage(op.Input), dynamicpb.NewMessage(op.Output)
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		t.Fatalf("%s: %v: %s", method, err, request)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", id)
	if err := s.Conn.Invoke(ctx, op.FullMethod, in, out); err != nil {
		st := status.Convert(err)
		return answer{id: id, failed: fmt.Sprint(st.Code(), " ", st.Message(), " ", st.Details())}
	}
	text, err := protojson.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return answer{id: id, body: string(text)}
}

// parse reads JSON with its numbers as they are written.
func parse(text string) (any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("%w: %.200s", err, text)
	}
	return v, nil
}

// show writes JSON with its keys sorted and no blanks, so that equal values are equal texts.
func show(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(out.String())
}

// valueOf gives the field value of a reply; absent says that it is unset.
func valueOf(body string) (v any, absent bool, err error) {
	reply, err := parse(body)
	if err != nil {
		return nil, false, err
	}
	fields, ok := reply.(map[string]any)
	if !ok {
		return nil, false, fmt.Errorf("%s is no message", body)
	}
	v, set := fields["value"]
	return v, !set, nil
}
