package rest

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// pathSegments is how many segments of a path need no memory of their own.
const pathSegments = 16

// ServeHTTP answers a request.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := edge.RequestID(r.Header.Get(requestIDHeader))
	w.Header()[requestIDHeader] = []string{id}
	defer s.recovered(w, r, id)
	var room [pathSegments]segment
	segments, ok := splitPath(r.URL, room[:0])
	if !ok {
		s.reject(w, r, id, strangler.Fail(codes.InvalidArgument, "INVALID_PATH", "the path is malformed; percent-encode it as RFC 3986 says"))
		return
	}
	rt, segments, allowed := s.routes.find(r.Method, segments)
	switch {
	case rt == nil && len(allowed) > 0:
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		err := strangler.Fail(codes.Unimplemented, "METHOD_NOT_ALLOWED",
			"%s is not served with %s; use %s", r.URL.Path, r.Method, strings.Join(allowed, " or "))
		s.note(r, id, err)
		s.write(w, http.StatusMethodNotAllowed, err)
	case rt == nil:
		s.reject(w, r, id, strangler.Fail(codes.NotFound, "NO_SUCH_PATH",
			"there is nothing at %s %s; the contract's google.api.http rules say what there is", r.Method, r.URL.Path))
	default:
		for _, f := range rt.notice {
			w.Header()[f.Name] = []string{f.Value}
		}
		s.answer(w, r, rt, segments, id)
	}
}

// recovered answers for a panic that is not the Backend's.
func (s *server) recovered(w http.ResponseWriter, r *http.Request, id string) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so, too
		panic(p)
	}
	if s.edge.Logger != nil {
		s.edge.Logger.ErrorContext(r.Context(), "request failed", "request_id", id, "path", r.URL.Path,
			"cause", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	s.refuse(w, strangler.AsError(fmt.Errorf("panic: %v", p)))
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, rt *route, segments []segment, id string) {
	ctx, cancel, failed := deadline(r)
	if failed != nil {
		s.reject(w, r, id, failed)
		return
	}
	defer cancel()
	request, failed := s.request(w, r, rt, segments)
	if failed != nil && s.gone != nil && s.gone(rt.op) {
		request, failed = dynamicpb.NewMessage(rt.op.Input), nil
	}
	if failed != nil {
		s.reject(w, r, id, failed)
		return
	}
	call := &strangler.Call{
		Operation: rt.op,
		Request:   contract.FromMessage(request),
		RequestID: id,
		Header:    header(r),
		SetHeader: w.Header().Set,
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		call.Certificate = r.TLS.VerifiedChains[0][0]
	}
	if rt.op.ServerStreaming {
		s.stream(ctx, w, rt, call)
		return
	}
	s.unary(ctx, w, rt, call)
}

// reject refuses what never became a call.
func (s *server) reject(w http.ResponseWriter, r *http.Request, id string, err *strangler.Error) {
	s.note(r, id, err)
	s.refuse(w, err)
}

// note counts and logs what never became a call: no Backend can.
func (s *server) note(r *http.Request, id string, err *strangler.Error) {
	s.refused(err)
	if s.edge.Logger != nil {
		s.edge.Logger.InfoContext(r.Context(), "request refused", "request_id", id, "method", r.Method, "path", r.URL.Path,
			"code", code.Code(err.Code).String(), "reason", err.Reason, "message", err.Message)
	}
}

func (s *server) unary(ctx context.Context, w http.ResponseWriter, rt *route, call *strangler.Call) {
	buf := s.buffer()
	defer s.release(buf)
	failed := s.edge.Call(ctx, call, func(_ *contract.Payload, wire []byte) error {
		return rt.appendReply(buf, wire)
	})
	if failed != nil {
		s.refuse(w, failed)
		return
	}
	s.boundWrites(w)
	h := w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(buf.Bytes()) // an error means that the caller is gone
}
