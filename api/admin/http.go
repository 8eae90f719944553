package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/api/problem"
	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
	"banyan.dev/banyan/strangler"
)

// maxBody bounds a request's body, in bytes. The longest has a reason of 1000 characters.
const maxBody = 64 << 10

// asked is what a call has to know of its HTTP request.
type asked struct {
	who   string
	query url.Values
}

type askedKey struct{}

// newAPI serves the service by its http rules, in process.
func newAPI(o Options, s *service) (http.Handler, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, codec{}),
		runtime.WithErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
			refuse(w, err)
		}),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
			astray(w, r, code)
		}),
		// Headers of HTTP are no metadata here, and a method is the one that it says it is.
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithWriteContentLength(),
	)
	if err := adminv1.RegisterAdminServiceHandlerServer(context.Background(), mux, s); err != nil {
		return nil, err
	}
	origins := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = patiently(w, o.WriteTimeout)
		w.Header().Set("Cache-Control", "no-store")
		if err := trusted(r, origins, o.AnyHost); err != nil {
			refuse(w, err)
			return
		}
		if err := readBody(w, r, o.BodyTimeout); err != nil {
			refuse(w, err)
			return
		}
		if r.Method != http.MethodPost && slices.ContainsFunc([]string{":advance", ":rollback", ":stop"}, func(verb string) bool { return strings.HasSuffix(r.URL.Path, verb) }) {
			astray(w, r, http.StatusMethodNotAllowed) // the gateway takes it for the name of a capability
			return
		}
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			refuse(w, strangler.Fail(codes.InvalidArgument, "INVALID_QUERY", "the query is malformed; percent-encode it as RFC 3986 says"))
			return
		}
		a := &asked{who: who(r), query: query}
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), askedKey{}, a)))
	}), nil
}

// who gives the operator: whom his certificate names, where he has shown one, else whom he says he is.
func who(r *http.Request) string {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return named(r.TLS.VerifiedChains[0][0])
	}
	return r.Header.Get(adminv1.WhoHeader)
}

// named gives whom a certificate names: something, so that nobody can say himself who he is who has shown one.
func named(cert *x509.Certificate) string {
	switch {
	case cert.Subject.CommonName != "":
		return cert.Subject.CommonName
	case len(cert.EmailAddresses) > 0:
		return cert.EmailAddresses[0]
	case len(cert.URIs) > 0:
		return cert.URIs[0].String()
	case len(cert.DNSNames) > 0:
		return cert.DNSNames[0]
	}
	sum := sha256.Sum256(cert.Raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// trusted refuses what a web page in somebody's browser could send.
func trusted(r *http.Request, origins *http.CrossOriginProtection, anyHost bool) error {
	if err := origins.Check(r); err != nil {
		return strangler.Fail(codes.PermissionDenied, "CROSS_ORIGIN", "pages of other sites may not ask this").WithCause(err)
	}
	return knownHost(r, anyHost)
}

// hostOf gives the host that a request asks for, without the port.
func hostOf(r *http.Request) string {
	if name, _, err := net.SplitHostPort(r.Host); err == nil {
		return name
	}
	return r.Host
}

// knownHost refuses names that may be anybody's: an address and localhost lead nowhere else.
func knownHost(r *http.Request, anyHost bool) error {
	if anyHost {
		return nil
	}
	host := hostOf(r)
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err != nil && host != "localhost" {
		return strangler.Fail(codes.PermissionDenied, "UNKNOWN_HOST",
			"the admin listener does not answer under the name %q; ask for localhost or an IP address (listen.admin_remote takes any name)", host)
	}
	return nil
}

// readBody reads all of a body at once, so that the time to send it is not the time to answer it.
func readBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 { // HTTP/2 has a body even where there is none
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return strangler.Invalid("content-type", "send JSON, with Content-Type: application/json")
	}
	control := http.NewResponseController(w)
	limited := control.SetReadDeadline(time.Now().Add(timeout)) == nil
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return edge.TooLarge(maxBody)
	case err != nil:
		return strangler.Fail(codes.InvalidArgument, "BODY_UNREADABLE", "the body broke off; send it again").WithCause(err)
	}
	if limited {
		_ = control.SetReadDeadline(time.Time{}) // it could be set, so it can be lifted
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return nil
}

// refuse answers with an error, whoever made it.
func refuse(w http.ResponseWriter, err error) {
	var told *strangler.Error
	if !errors.As(err, &told) { // the gateway's own, of which Unknown is none
		st := status.Convert(err)
		told = strangler.Fail(st.Code(), "MALFORMED_REQUEST", "%s", st.Message())
	}
	problem.Write(w, problem.Status(told), told)
}

// astray answers a request for which there is no method.
func astray(w http.ResponseWriter, r *http.Request, code int) {
	switch code {
	case http.StatusMethodNotAllowed:
		allowed := http.MethodGet
		if strings.Contains(r.URL.Path, ":") {
			allowed = http.MethodPost
		}
		w.Header().Set("Allow", allowed)
		problem.Write(w, code, strangler.Fail(codes.Unimplemented, "METHOD_NOT_ALLOWED", "%s is not served with %s; use %s", r.URL.Path, r.Method, allowed))
	case http.StatusBadRequest:
		problem.Write(w, code, strangler.Fail(codes.InvalidArgument, "INVALID_PATH", "the path is malformed; percent-encode it as RFC 3986 says"))
	default:
		problem.Write(w, code, strangler.Fail(codes.NotFound, "NO_SUCH_PATH", "there is nothing at %s %s; docs/admin.md says what there is", r.Method, r.URL.Path))
	}
}

// patient lets an answer be as late as it has to; from then on the client has to take it within a time.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	begun   bool
}

func patiently(w http.ResponseWriter, timeout time.Duration) http.ResponseWriter {
	control := http.NewResponseController(w)
	if control.SetWriteDeadline(time.Time{}) != nil {
		return w // a connection without deadlines, as in tests
	}
	return &patient{ResponseWriter: w, control: control, timeout: timeout}
}

func (p *patient) begin() {
	if !p.begun {
		p.begun = true
		_ = p.control.SetWriteDeadline(time.Now().Add(p.timeout)) // it could be lifted, so it can be set
	}
}

// WriteHeader begins the answer.
func (p *patient) WriteHeader(code int) {
	p.begin()
	p.ResponseWriter.WriteHeader(code)
}

// Write begins the answer, or goes on with it.
func (p *patient) Write(b []byte) (int, error) {
	p.begin()
	return p.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController what is below.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }
