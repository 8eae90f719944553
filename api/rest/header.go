package rest

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"banyan.dev/banyan/strangler"
)

// A caller sets a deadline by one of these headers, or by both, when the shorter one counts: gRPC's own ("10S": digits
// and a unit of H, M, S, m, u, n), and one for people ("2.5s", "500ms", or seconds as a number: "2.5").
const (
	grpcTimeoutHeader = "Grpc-Timeout"
	timeoutHeader     = "X-Request-Timeout"
)

// deadline gives the request's context with the deadline that its headers ask for. The context ends when the caller
// hangs up, too: net/http sees to that.
func deadline(r *http.Request) (context.Context, context.CancelFunc, *strangler.Error) {
	ctx := r.Context()
	given := time.Duration(math.MaxInt64)
	if text := r.Header.Get(grpcTimeoutHeader); text != "" {
		d, ok := parseGRPCTimeout(text)
		if !ok {
			return nil, nil, strangler.Invalid(strings.ToLower(grpcTimeoutHeader), "%q is no timeout; write digits and a unit, such as 10S or 500m", text)
		}
		given = d
	}
	if text := r.Header.Get(timeoutHeader); text != "" {
		d, ok := parseTimeout(text)
		if !ok {
			return nil, nil, strangler.Invalid(strings.ToLower(timeoutHeader), "%q is no timeout; write such as 2.5s, 500ms, or seconds", text)
		}
		given = min(given, d)
	}
	if given == math.MaxInt64 {
		return ctx, func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, given)
	return ctx, cancel, nil
}

// parseGRPCTimeout reads gRPC's timeout: up to 8 digits and a unit.
func parseGRPCTimeout(s string) (time.Duration, bool) {
	const maxDigits = 8
	if len(s) < 2 || len(s) > maxDigits+1 {
		return 0, false
	}
	var unit time.Duration
	switch s[len(s)-1] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0, false
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 64)
	if err != nil {
		return 0, false
	}
	if n > uint64(math.MaxInt64)/uint64(unit) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * unit, true
}

func parseTimeout(s string) (time.Duration, bool) {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		d := seconds * float64(time.Second)
		if !(d > 0 && d < math.MaxInt64) {
			return 0, false
		}
		return time.Duration(d), true
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

// requestIDHeader is edge.RequestIDHeader in HTTP's canonical form.
const requestIDHeader = "X-Request-Id"

// header gives one of the request's headers, as gRPC has them: the host is ":authority".
func header(r *http.Request) func(name string) []string {
	return func(name string) []string {
		if name == ":authority" {
			return []string{r.Host}
		}
		return r.Header.Values(name)
	}
}
