package auth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
)

// clock is one that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// A token signed by a new key makes its issuer be asked at once, and no more often than every ten seconds. A key that the
// issuer has no more is not taken any more, not even for tokens that were.
func TestRotation(t *testing.T) {
	first, second, third := authtest.NewKey(t, "1", "ES256"), authtest.NewKey(t, "2", "ES256"), authtest.NewKey(t, "3", "ES256")
	s, clk := &source{text: authtest.Set(first.JWK(nil))}, &clock{at: time.Now()}
	b := start(t, auth.Options{Tokens: tokens(keysOf(t, s, auth.KeyOptions{Now: clk.now}))}, nil, nil)
	of := func(k authtest.Key) string { return "Bearer " + k.Token(t, authtest.Claims(nil)) }
	old := of(first)
	b.both(t, codes.OK, "", old)
	b.both(t, codes.Unauthenticated, "TOKEN_KEY_UNKNOWN", of(second)) // too soon after the first look
	if n := s.count(); n != 1 {
		t.Fatalf("asked %d times", n)
	}

	s.set(authtest.Set(first.JWK(nil), second.JWK(nil)), nil)
	clk.advance(11 * time.Second)
	b.both(t, codes.OK, "", of(second))
	b.both(t, codes.OK, "", old)
	for range 20 {
		b.both(t, codes.Unauthenticated, "TOKEN_KEY_UNKNOWN", of(third))
	}
	if n := s.count(); n != 2 {
		t.Errorf("asked %d times", n)
	}

	s.set(authtest.Set(second.JWK(nil)), nil)
	clk.advance(11 * time.Second)
	b.both(t, codes.Unauthenticated, "TOKEN_KEY_UNKNOWN", of(third)) // has the issuer asked
	b.both(t, codes.Unauthenticated, "TOKEN_KEY_UNKNOWN", old)       // which was remembered
	b.both(t, codes.OK, "", of(second))
}

// Keys without an id change, too, and so does a key that keeps its id: a signature that no key made has the issuer asked, as seldom
// as a key that isn't known.
func TestRotationWithoutIDs(t *testing.T) {
	for name, id := range map[string]string{"no id": "", "the same id": "1"} {
		t.Run(name, func(t *testing.T) {
			first, second, third := authtest.NewKey(t, id, "ES256"), authtest.NewKey(t, id, "ES256"), authtest.NewKey(t, id, "ES256")
			s, clk := &source{text: authtest.Set(first.JWK(nil))}, &clock{at: time.Now()}
			b := start(t, auth.Options{Tokens: tokens(keysOf(t, s, auth.KeyOptions{Now: clk.now}))}, nil, nil)
			of := func(k authtest.Key) string { return "Bearer " + k.Token(t, authtest.Claims(nil)) }
			b.both(t, codes.OK, "", of(first))
			b.both(t, codes.Unauthenticated, "TOKEN_SIGNATURE", of(second)) // too soon after the first look
			s.set(authtest.Set(second.JWK(nil)), nil)
			clk.advance(11 * time.Second)
			b.both(t, codes.OK, "", of(second))
			b.both(t, codes.Unauthenticated, "TOKEN_SIGNATURE", of(first))
			for range 20 {
				b.both(t, codes.Unauthenticated, "TOKEN_SIGNATURE", of(third))
			}
			if n := s.count(); n != 2 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

// Many tokens of a new key at once have the issuer asked once, and all wait for it.
func TestManyWaitForOneLook(t *testing.T) {
	first, second := authtest.NewKey(t, "1", "ES256"), authtest.NewKey(t, "2", "ES256")
	clk := &clock{at: time.Now()}
	s := &source{text: authtest.Set(first.JWK(nil))}
	var gate chan struct{}
	keys := auth.NewKeys(auth.KeyOptions{
		Name: "x", Refresh: time.Hour, Logger: slog.New(slog.DiscardHandler), Now: clk.now,
		Source: func(ctx context.Context) ([]byte, error) {
			if gate != nil {
				<-gate
			}
			return s.get(ctx)
		},
	})
	if err := keys.Begin(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	b := start(t, auth.Options{Tokens: tokens(keys)}, nil, nil)
	gate = make(chan struct{})
	s.set(authtest.Set(second.JWK(nil)), nil)
	clk.advance(time.Minute)
	token := "Bearer " + second.Token(t, authtest.Claims(nil))
	var asking sync.WaitGroup
	for range 16 {
		asking.Go(func() {
			if a := b.overGRPC(t, token); a.code != codes.OK {
				t.Errorf("%+v", a)
			}
		})
	}
	close(gate)
	asking.Wait()
	if n := s.count(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// An issuer that is down, or says nonsense, leaves the last good keys in use, loudly.
func TestOutages(t *testing.T) {
	key := authtest.NewKey(t, "1", "ES256")
	for name, outage := range map[string]func(s *source){
		"down":     func(s *source) { s.set(nil, errors.New("connection refused")) },
		"nonsense": func(s *source) { s.set([]byte("<html>secret"), nil) },
		"no keys":  func(s *source) { s.set([]byte(`{"keys":[]}`), nil) },
		"not mine": func(s *source) { s.set([]byte(`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`), nil) },
	} {
		t.Run(name, func(t *testing.T) {
			log := &lockedBuffer{}
			s, clk := &source{text: authtest.Set(key.JWK(nil))}, &clock{at: time.Now()}
			keys := keysOf(t, s, auth.KeyOptions{Now: clk.now, Logger: slog.New(slog.NewTextHandler(log, nil)), Refresh: time.Millisecond})
			b := start(t, auth.Options{Tokens: tokens(keys)}, nil, nil)
			outage(s)
			poll(t, "the outage is told", func() bool { return strings.Contains(log.String(), "level=ERROR") })
			b.both(t, codes.OK, "", "Bearer "+key.Token(t, authtest.Claims(nil)))
			if stats := keys.Stats(); stats.Keys != 1 || stats.Failures == 0 {
				t.Errorf("%+v", stats)
			}
			if text := log.String(); strings.Contains(text, "secret") || strings.Contains(text, "c2VjcmV0") || !strings.Contains(text, "the last good ones stay in use") {
				t.Errorf("the log:\n%s", text)
			}
			s.set(authtest.Set(key.JWK(nil)), nil)
			failures := keys.Stats().Failures
			poll(t, "the outage ends", func() bool { n := keys.Stats().Failures; ended := n == failures; failures = n; return ended })
		})
	}
}

// Without keys at start nothing is served: it is waited for them, then given up.
func TestNoKeysAtStart(t *testing.T) {
	log := &lockedBuffer{}
	s := &source{err: errors.New("connection refused")}
	keys := auth.NewKeys(auth.KeyOptions{Source: s.get, Name: "id.test", Refresh: time.Hour, Logger: slog.New(slog.NewTextHandler(log, nil))})
	defer keys.Close()
	if err := keys.Begin(t.Context(), time.Millisecond); err == nil || !strings.Contains(err.Error(), "id.test") || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("Begin: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan error, 1)
	go func() { begun <- keys.Begin(ctx, time.Hour) }()
	poll(t, "it waits", func() bool { return strings.Contains(log.String(), "waiting for the keys") })
	cancel()
	if err := <-begun; !errors.Is(err, context.Canceled) {
		t.Errorf("Begin: %v", err)
	}
}

func TestKeySets(t *testing.T) {
	ec, rsa := authtest.NewKey(t, "e", "ES256"), authtest.NewKey(t, "r", "RS256")
	d := map[string]any{"d": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}
	small := strings.Repeat("_", 170) + "8" // 1024 bits
	for name, test := range map[string]struct {
		text   string
		remark string // part of one
		err    string // part of it
	}{
		"good":               {string(authtest.Set(ec.JWK(nil), rsa.JWK(nil))), "", ""},
		"for encryption":     {string(authtest.Set(ec.JWK(nil), rsa.JWK(map[string]any{"use": "enc", "alg": "RSA-OAEP"}))), "", ""},
		"no alg":             {string(authtest.Set(ec.JWK(map[string]any{"alg": nil, "use": nil, "kid": nil}))), "", ""},
		"other ops":          {string(authtest.Set(ec.JWK(nil), ec.JWK(map[string]any{"key_ops": []string{"sign"}}))), "key 2 is not for verifying", ""},
		"other algorithm":    {string(authtest.Set(rsa.JWK(map[string]any{"alg": "RSA1_5"}), ec.JWK(nil))), "key 1 is for an algorithm that is not taken", ""},
		"private":            {string(authtest.Set(ec.JWK(d))), "key 1 is a PRIVATE key", ""},
		"symmetric":          {`{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`, "key 1 is symmetric", "no key that verifies"},
		"short":              {string(authtest.Set(rsa.JWK(map[string]any{"n": small}))), "key 1 ", "no key that verifies"},
		"of an unknown sort": {string(authtest.Set(ec.JWK(nil), map[string]any{"kty": "AKP", "pub": "x"})), "key 2", ""},
		"not on the curve":   {string(authtest.Set(ec.JWK(map[string]any{"x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}))), "key 1 can't be read", "no key that verifies"},
		"no set":             {`{"kty":"EC"}`, "", "no JWK Set"},
		"no JSON":            {"<html>", "", "no JWK Set"},
		"empty":              {`{"keys":[]}`, "", "no key that verifies"},
	} {
		t.Run(name, func(t *testing.T) {
			remarks, err := auth.CheckKeys([]byte(test.text))
			if all := strings.Join(remarks, "\n"); test.remark == "" && all != "" || !strings.Contains(all, test.remark) || strings.Contains(all, "c2VjcmV0") {
				t.Errorf("remarks: %s", all)
			}
			if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

func TestSources(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("text")) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20+1)) })
	mux.Handle("/moved", http.RedirectHandler("/keys", http.StatusFound))
	mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
	plain := httptest.NewServer(mux)
	defer plain.Close()
	mux.Handle("/down", http.RedirectHandler(plain.URL+"/keys", http.StatusFound))
	secure := httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	defer secure.Close()
	trusted := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	dir := t.TempDir()
	file := filepath.Join(dir, "keys.json")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		get  func(context.Context) ([]byte, error)
		want string // "!…": part of the error
	}{
		"file":       {auth.FileSource(file), "text"},
		"no file":    {auth.FileSource(filepath.Join(dir, "none")), "!no such file"},
		"directory":  {auth.FileSource(dir), "!is a directory"},
		"http":       {urlSource(t, plain.URL+"/keys", nil), "text"},
		"https":      {urlSource(t, secure.URL+"/keys", trusted), "text"},
		"untrusted":  {urlSource(t, secure.URL+"/keys", nil), "!certificate"},
		"moved":      {urlSource(t, plain.URL+"/moved", nil), "text"},
		"in a round": {urlSource(t, plain.URL+"/round", nil), "!redirected more than 3 times"},
		"downgraded": {urlSource(t, secure.URL+"/down", trusted), "!redirected from https to http"},
		"not there":  {urlSource(t, plain.URL+"/none?secret=x", nil), "!answers 404"},
		"too large":  {urlSource(t, plain.URL+"/large", nil), "!more than 1048576 bytes"},
		"down":       {urlSource(t, "http://127.0.0.1:1/?secret=x", nil), "!refused"},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := test.get(t.Context())
			got := string(text)
			if err != nil {
				got = "!" + err.Error()
			}
			if got != test.want && (test.want[0] != '!' || !strings.HasPrefix(got, "!") || !strings.Contains(got, test.want[1:])) || strings.Contains(got, "secret") {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func urlSource(t *testing.T, at string, roots *x509.CertPool) func(context.Context) ([]byte, error) {
	get, free := auth.URLSource(at, roots)
	t.Cleanup(free)
	return get
}

// poll waits until it is so.
func poll(t testing.TB, what string, so func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("it is not so in time: %s", what)
		}
		<-tick.C
	}
}

// A trouble that lasts is told once, and again every five minutes, however often keys are looked for.
func TestTroubleWithKeysIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := authtest.NewKey(t, "1", "ES256")
		s, log := &source{text: authtest.Set(first.JWK(nil))}, &lockedBuffer{}
		keysOf(t, s, auth.KeyOptions{Refresh: time.Second, Logger: slog.New(slog.NewTextHandler(log, nil))})
		told := func(want int) {
			t.Helper()
			synctest.Wait()
			if n := strings.Count(log.String(), "can't be renewed"); n != want {
				t.Errorf("told %d times, want %d", n, want)
			}
		}
		s.set(nil, errors.New("no such file"))
		time.Sleep(4 * time.Minute)
		told(1)
		time.Sleep(2 * time.Minute)
		told(2)
		s.set(nil, errors.New("permission denied"))
		time.Sleep(2 * time.Second)
		told(3)
		s.set(authtest.Set(first.JWK(nil)), nil)
		time.Sleep(2 * time.Second)
		s.set(nil, errors.New("permission denied"))
		time.Sleep(2 * time.Second)
		told(4)
	})
}
