package auth_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
)

// A token has one spelling: others of the same bytes are refused.
func TestTokensHaveOneSpelling(t *testing.T) {
	key := authtest.NewKey(t, "e1", "ES256")
	b := start(t, auth.Options{Tokens: tokensOf(t, key)}, nil, nil)
	good := key.Token(t, authtest.Claims(nil))
	parts := strings.Split(good, ".")
	last := func(s string) string { // the same bytes, by other bits that count for nothing
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		i := strings.IndexByte(alphabet, s[len(s)-1])
		return s[:len(s)-1] + string(alphabet[i^1])
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"other last bits of the signature": parts[0] + "." + parts[1] + "." + last(parts[2]),
		"padded signature":                 good + "==",
		"standard alphabet":                parts[0] + "." + parts[1] + "." + base64.RawStdEncoding.EncodeToString(signature),
		"standard, padded":                 parts[0] + "." + parts[1] + "." + base64.StdEncoding.EncodeToString(signature),
	} {
		if token == good { // which has neither - nor _
			continue
		}
		t.Run(name, func(t *testing.T) { b.both(t, codes.Unauthenticated, "TOKEN_MALFORMED", "Bearer "+token) })
	}
	guard := auth.New(auth.Options{Tokens: tokensOf(t, key)}, nobody())
	if _, err := asks(t.Context(), guard, nil, parts[0]+"."+parts[1]+"."+parts[2][:9]+"\n"+parts[2][9:]); err == nil || err.Reason != "TOKEN_MALFORMED" {
		t.Errorf("a line break in the signature: %v", err)
	}
}

// Nothing but the header authorization has a token.
func TestTokensElsewhereCountForNothing(t *testing.T) {
	key := authtest.NewKey(t, "e1", "ES256")
	b := start(t, auth.Options{Tokens: tokensOf(t, key)}, nil, nil)
	good := "Bearer " + key.Token(t, authtest.Claims(nil))
	for _, name := range []string{
		"Grpc-Metadata-Authorization", "Grpcgateway-Authorization", "X-Forwarded-Authorization", "Proxy-Authorization", "X-Authorization", "Authorization-Bin", "X-Original-Authorization", "Authorization_",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.rest+"/v1/fail/0", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(name, good)
		reply, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = reply.Body.Close()
		if reply.StatusCode != http.StatusUnauthorized {
			t.Errorf("REST, %s: %s", name, reply.Status)
		}
		ctx := metadata.NewOutgoingContext(t.Context(), metadata.Pairs(strings.ToLower(name), good))
		in := dynamicpb.NewMessage(b.contract.Message("test.v1.FailRequest"))
		if err := b.conn.Invoke(ctx, "/test.v1.AllService/Fail", in, dynamicpb.NewMessage(in.Descriptor())); status.Code(err) != codes.Unauthenticated {
			t.Errorf("gRPC, %s: %v", name, err)
		}
	}
	// Over HTTP/1.1 as bytes: what parsers may take for one another.
	for name, lines := range map[string]string{
		"two of different case":  "Authorization: Basic x\r\nauthorization: " + good + "\r\n",
		"blank before the colon": "Authorization : " + good + "\r\n",
		"list":                   "Authorization: " + good + ", " + good + "\r\n",
		"tab":                    "Authorization: Bearer\t" + good[7:] + "\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(b.rest, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := fmt.Fprintf(conn, "GET /v1/fail/0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", lines); err != nil {
			t.Fatal(err)
		}
		reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(name, err)
		}
		_ = reply.Body.Close()
		_ = conn.Close()
		if reply.StatusCode == http.StatusOK {
			t.Errorf("%s: %s", name, reply.Status)
		}
	}
}
