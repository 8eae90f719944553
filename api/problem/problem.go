// Package problem writes an error as an HTTP answer in AIP-193's JSON form ("HTTP/1.1+JSON representation"), for every
// listener alike.
package problem

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/encoding/protojson"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/retirement"
)

// problem is an error as it is written.
type problem struct {
	Error struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Status  string            `json:"status"`
		Details []json.RawMessage `json:"details"`
	} `json:"error"`
}

// Status maps canonical codes as google/rpc/code.proto does, but for a body that is too large, and for a version
// that is gone: HTTP has statuses of its own for them, and clients repeat what got a 429.
func Status(err *strangler.Error) int {
	switch {
	case err.Reason == edge.RequestTooLarge:
		return http.StatusRequestEntityTooLarge
	case err.Reason == retirement.ReasonGone && err.Domain == strangler.Domain:
		return http.StatusGone
	}
	return runtime.HTTPStatusFromCode(err.Code)
}

// Write answers with an error under an HTTP status, which mostly is Status's.
func Write(w http.ResponseWriter, status int, err *strangler.Error) {
	body := JSON(status, err)
	h := w.Header()
	if err.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(err.RetryAfter.Seconds()))))
	}
	if err.Challenge != "" {
		h.Set("WWW-Authenticate", err.Challenge)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the caller is gone
}

// JSON gives an error's JSON, in one line without an end.
func JSON(status int, err *strangler.Error) []byte {
	told := err.GRPCStatus().Proto()
	var p problem
	p.Error.Code = status
	p.Error.Message = told.GetMessage()
	p.Error.Status = code.Code(told.GetCode()).String()
	p.Error.Details = []json.RawMessage{}
	for _, d := range told.GetDetails() {
		if b, err := protojson.Marshal(d); err == nil {
			p.Error.Details = append(p.Error.Details, b)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return []byte(`{"error":{"code":500,"message":"the error can't be written","status":"INTERNAL","details":[]}}`)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
