package app_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// tills is a server of testdata/tills.txtar that asks who calls.
type tills struct {
	*apptest.Server
	dir       string
	authority *authtest.Authority
	key       authtest.Key
}

func startTills(t *testing.T, changes ...string) *tills {
	t.Helper()
	archive, err := os.ReadFile("testdata/tills.txtar")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(changes...).Replace(string(archive))
	s := &tills{dir: apptest.Files(t, text), authority: authtest.NewAuthority(t, "shop"), key: authtest.NewKey(t, "1", "ES256")}
	s.write(t, "ca.pem", s.authority.PEM())
	s.write(t, "keys.json", authtest.Set(s.key.JWK(nil)))
	s.issue(t, "first").Write(t, s.dir, "server")
	dsn := devstack.MariaDB(t).NewSchema(t)
	schema, err := os.ReadFile(filepath.Join(s.dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := execute(dsn, string(schema)); err != nil {
		t.Fatal(err)
	}
	noLeaks(t)
	s.Server = apptest.Start(t, s.dir, dsn)
	return s
}

func (s *tills) issue(t *testing.T, name string) authtest.Pair {
	t.Helper()
	return s.authority.Issue(t, x509.Certificate{Subject: pkix.Name{CommonName: name}})
}

func (s *tills) write(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// token is one of a clerk's in a shop, with others claims besides or instead.
func (s *tills) token(t *testing.T, shop string, others map[string]any) string {
	t.Helper()
	claims := authtest.Claims(map[string]any{"org": map[string]any{"shop": shop}})
	for name, v := range others {
		claims[name] = v
	}
	return s.key.Token(t, claims)
}

// caller is one with a token, a certificate, both or neither.
type caller struct {
	client *http.Client
	conn   *grpc.ClientConn
	bearer string
	// key names its writes; empty: they have none.
	key string
}

func (s *tills) caller(t *testing.T, bearer string, pair *authtest.Pair) *caller {
	t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.authority.Pool()}
	if pair != nil {
		config.Certificates = []tls.Certificate{pair.TLS(t)}
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	conn, err := grpc.NewClient(s.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = conn.Close()
	})
	return &caller{client: &http.Client{Transport: transport}, conn: conn, bearer: bearer}
}

// overREST gives the status and the body of an answer.
func (s *tills) overREST(t *testing.T, c *caller, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.REST+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	if c.key != "" {
		r.Header.Set("Idempotency-Key", c.key)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.ProtoMajor != 2 {
		t.Errorf("it speaks %s", answer.Proto)
	}
	return answer.StatusCode, string(bytes.TrimSpace(text))
}

// overGRPC gives the code and the reply of a call, all replies of a stream on lines of their own.
func (s *tills) overGRPC(t *testing.T, c *caller, method, request string) (codes.Code, string) {
	t.Helper()
	return s.invoke(t, c, s.Project.Contract.Operation(protoreflect.FullName("tills.v1.TillService."+method)), request)
}

// invoke is overGRPC for any operation.
func (s *tills) invoke(t *testing.T, c *caller, op *contract.Operation, request string) (codes.Code, string) {
	t.Helper()
	in := dynamicpb.NewMessage(op.Input)
	if err := protojson.Unmarshal([]byte(request), in); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if c.bearer != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.bearer)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, op.FullMethod)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(in); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	_ = stream.CloseSend()
	var out []string
	for {
		reply := dynamicpb.NewMessage(op.Output)
		if err = stream.RecvMsg(reply); err != nil {
			break
		}
		text, err := protojson.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		var plain bytes.Buffer
		if err := json.Compact(&plain, text); err != nil {
			t.Fatal(err)
		}
		out = append(out, plain.String())
	}
	if errors.Is(err, io.EOF) {
		return codes.OK, strings.Join(out, "\n")
	}
	return status.Code(err), status.Convert(err).Message()
}

// admin asks the admin listener.
func (s *tills) admin(t *testing.T, pair *authtest.Pair, path string) string {
	t.Helper()
	answer, err := s.caller(t, "", pair).client.Get("https://" + s.Admin + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
