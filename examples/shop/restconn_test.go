package shop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/genproto/googleapis/rpc/code"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // these are for the details of errors
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"
)

// restConn is a connection for the stubs that grpc-go generates which goes over REST, by the contract's HTTP rules: so
// the same script tries both.
type restConn struct{ address string }

// Invoke implements grpc.ClientConnInterface.
func (c restConn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	answer, err := c.do(ctx, method, args)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return restError(text)
	}
	return protojson.Unmarshal(text, reply.(proto.Message))
}

// NewStream implements grpc.ClientConnInterface.
func (c restConn) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	return &restStream{ctx: ctx, conn: c, method: method}, nil
}

// restStream reads a line for each reply.
type restStream struct {
	grpc.ClientStream
	ctx    context.Context
	conn   restConn
	method string
	answer *http.Response
	lines  *bufio.Scanner
}

func (s *restStream) SendMsg(m any) (err error) {
	if s.answer, err = s.conn.do(s.ctx, s.method, m); err != nil { //nolint:bodyclose // RecvMsg closes it at its end
		return err
	}
	s.lines = bufio.NewScanner(s.answer.Body)
	return nil
}

func (s *restStream) CloseSend() error { return nil }

func (s *restStream) RecvMsg(m any) error {
	if !s.lines.Scan() {
		return errors.Join(s.lines.Err(), s.answer.Body.Close(), io.EOF)
	}
	var line struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(s.lines.Bytes(), &line); err != nil {
		return err
	}
	if line.Result == nil {
		return restError(s.lines.Bytes())
	}
	return protojson.Unmarshal(line.Result, m.(proto.Message))
}

// variable finds a variable of a path template.
var variable = regexp.MustCompile(`\{([a-z_.]+)\}`)

// do makes the HTTP request of a call, as a client of the API would from its documentation.
func (c restConn) do(ctx context.Context, method string, args any) (*http.Response, error) {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return nil, err
	}
	rule, ok := proto.GetExtension(d.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok {
		return nil, fmt.Errorf("%s has no HTTP rule", name)
	}
	request := proto.Clone(args.(proto.Message)).ProtoReflect()
	verb, template := "", ""
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		verb, template = http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		verb, template = http.MethodPost, p.Post
	case *annotations.HttpRule_Patch:
		verb, template = http.MethodPatch, p.Patch
	}
	path := variable.ReplaceAllStringFunc(template, func(v string) string { return take(request, strings.Split(v[1:len(v)-1], ".")) })
	var body io.Reader
	switch field := rule.GetBody(); field {
	case "":
	case "*":
		text, err := protojson.Marshal(request.Interface())
		if err != nil {
			return nil, err
		}
		body, request = bytes.NewReader(text), request.New()
	default:
		fd := request.Descriptor().Fields().ByName(protoreflect.Name(field))
		text, err := protojson.Marshal(request.Get(fd).Message().Interface())
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
		request.Clear(fd)
	}
	query, err := queryOf(request)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, verb, "http://"+c.address+path+query, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	return http.DefaultClient.Do(r)
}

// take takes a field out of a request, as text.
func take(m protoreflect.Message, path []string) string {
	fd := m.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	if len(path) > 1 {
		return take(m.Mutable(fd).Message(), path[1:])
	}
	text := url.PathEscape(m.Get(fd).String())
	m.Clear(fd)
	return text
}

// queryOf writes what is left of a request as parameters.
func queryOf(m protoreflect.Message) (string, error) {
	text, err := protojson.Marshal(m.Interface())
	if err != nil {
		return "", err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return "", err
	}
	values := url.Values{}
	for name, v := range fields {
		if list, ok := v.([]any); ok {
			for _, item := range list {
				values.Add(name, fmt.Sprint(item))
			}
		} else {
			values.Set(name, fmt.Sprint(v))
		}
	}
	if len(values) == 0 {
		return "", nil
	}
	return "?" + values.Encode(), nil
}

// restError gives the error of a JSON body as the one that gRPC would have given.
func restError(text []byte) error {
	var body struct {
		Error struct {
			Status  string            `json:"status"`
			Message string            `json:"message"`
			Details []json.RawMessage `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	st := &statuspb.Status{Code: code.Code_value[body.Error.Status], Message: body.Error.Message}
	for _, raw := range body.Error.Details {
		detail := &anypb.Any{}
		if err := protojson.Unmarshal(raw, detail); err != nil {
			return err
		}
		st.Details = append(st.Details, detail)
	}
	return status.ErrorProto(st)
}
