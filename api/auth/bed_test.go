package auth_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/api/edge/edgetest"
	apigrpc "banyan.dev/banyan/api/grpc"
	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// lockedBuffer keeps what is logged.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// bed is a guarded backend behind real servers of both transports.
type bed struct {
	contract *contract.Contract
	rest     string
	client   *http.Client
	conn     *grpc.ClientConn
	log      *lockedBuffer

	mu   sync.Mutex
	seen *strangler.Call
}

// answer is what a caller gets.
type answer struct {
	code      codes.Code
	http      int // of REST only
	reason    string
	text      string
	challenge string // of REST only
}

// start serves over TLS where server is set; client is the callers' side of it.
func start(t testing.TB, opts auth.Options, server, client *tls.Config) *bed {
	t.Helper()
	b := &bed{contract: edgetest.Contract(t), log: &lockedBuffer{}}
	logger := slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	backend := auth.New(opts, edgetest.Echo{Seen: func(_ context.Context, call *strangler.Call) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen = call
	}})

	var extra []grpc.ServerOption
	creds := insecure.NewCredentials()
	if server != nil {
		extra = append(extra, grpc.Creds(credentials.NewTLS(server)))
		creds = credentials.NewTLS(client)
	}
	grpcServer := apigrpc.New(b.contract, backend, apigrpc.Options{Logger: logger, Extra: extra})
	handler, err := rest.New(b.contract, backend, rest.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	restServer := &http.Server{
		Handler: handler, MaxHeaderBytes: 64 << 10, ReadHeaderTimeout: time.Minute, TLSConfig: server,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	var connected sync.WaitGroup // net/http waits half a second for clients whose headers it refuses
	restServer.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			connected.Add(1)
		case http.StateClosed, http.StateHijacked:
			connected.Done()
		default:
		}
	}
	grpcOn, restOn := listen(t), listen(t)
	var served sync.WaitGroup
	served.Go(func() { _ = grpcServer.Serve(grpcOn) })
	served.Go(func() {
		if server != nil {
			_ = restServer.ServeTLS(restOn, "", "")
		} else {
			_ = restServer.Serve(restOn)
		}
	})
	transport := &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: true}
	b.client = &http.Client{Transport: transport}
	b.rest = "http://" + restOn.Addr().String()
	if server != nil {
		b.rest = "https://" + restOn.Addr().String()
	}
	b.conn, err = grpc.NewClient(grpcOn.Addr().String(), grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.conn.Close()
		transport.CloseIdleConnections()
		_ = grpcServer.Shutdown(context.Background())
		_ = restServer.Close()
		served.Wait()
		connected.Wait()
	})
	return b
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// last gives the call that came through, and forgets it.
func (b *bed) last() *strangler.Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	call := b.seen
	b.seen = nil
	return call
}

// overREST calls Fail, which answers with nothing when its code is 0.
func (b *bed) overREST(t testing.TB, authorization ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.rest+"/v1/fail/0", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header["Authorization"] = authorization
	reply, err := b.client.Do(r)
	if err != nil {
		return answer{code: codes.Unavailable, text: err.Error()}
	}
	defer reply.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{http: reply.StatusCode, text: string(text), challenge: reply.Header.Get("WWW-Authenticate")}
	if reply.StatusCode == http.StatusOK {
		return a
	}
	var told struct {
		Error struct {
			Status  string
			Details []struct{ Reason string }
		}
	}
	a.code = codes.Unknown
	if json.Unmarshal(text, &told) == nil && told.Error.Status != "" {
		if err := a.code.UnmarshalJSON([]byte(`"` + told.Error.Status + `"`)); err != nil {
			t.Fatal(err)
		}
		a.reason = told.Error.Details[0].Reason
	}
	return a
}

func (b *bed) overGRPC(t testing.TB, authorization ...string) answer {
	t.Helper()
	ctx := metadata.NewOutgoingContext(t.Context(), metadata.MD{"authorization": authorization})
	in, out := dynamicpb.NewMessage(b.contract.Message("test.v1.FailRequest")), dynamicpb.NewMessage(b.contract.Message("test.v1.FailRequest"))
	err := b.conn.Invoke(ctx, "/test.v1.AllService/Fail", in, out)
	a := answer{code: status.Code(err)}
	if err != nil {
		a.text = err.Error()
	}
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			a.reason = info.GetReason()
		}
	}
	return a
}

// both asks over both transports, and wants the same of both.
func (b *bed) both(t testing.TB, code codes.Code, reason string, authorization ...string) answer {
	t.Helper()
	overREST, overGRPC := b.overREST(t, authorization...), b.overGRPC(t, authorization...)
	for transport, a := range map[string]answer{"REST": overREST, "gRPC": overGRPC} {
		if a.code != code || a.reason != reason {
			t.Errorf("%s: %s %s, want %s %s: %s", transport, a.code, a.reason, code, reason, a.text)
		}
		for _, value := range authorization {
			if token := strings.TrimPrefix(value, "Bearer "); len(token) > 8 && strings.Contains(a.text+a.challenge, token) {
				t.Errorf("%s: the token is told: %s", transport, a.text)
			}
		}
	}
	return overREST
}

// source is a place of keys that tests change.
type source struct {
	mu    sync.Mutex
	text  []byte
	err   error
	asked int
}

func (s *source) set(text []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.err = text, err
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *source) get(context.Context) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return s.text, s.err
}

// keysOf begins with the keys of a source.
func keysOf(t testing.TB, s *source, opts auth.KeyOptions) *auth.Keys {
	t.Helper()
	opts.Source, opts.Name = s.get, "the test's"
	if opts.Refresh == 0 {
		opts.Refresh = time.Hour
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	keys := auth.NewKeys(opts)
	if err := keys.Begin(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return keys
}

// tokensOf takes tokens of the test's issuer that are signed by one of keys.
func tokensOf(t testing.TB, keys ...authtest.Key) *auth.Tokens {
	t.Helper()
	var jwks []map[string]any
	for _, k := range keys {
		jwks = append(jwks, k.JWK(nil))
	}
	return tokens(keysOf(t, &source{text: authtest.Set(jwks...)}, auth.KeyOptions{}))
}

func tokens(keys *auth.Keys) *auth.Tokens {
	return auth.NewTokens(auth.TokenOptions{
		Keys: keys, Issuer: authtest.Issuer, Audience: []string{authtest.Audience}, Leeway: 30 * time.Second, ClientClaim: "client_id",
	})
}
