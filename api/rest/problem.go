package rest

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
)

// problem is the JSON form of an error (AIP-193, "HTTP/1.1+JSON representation").
type problem struct {
	Error struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Status  string            `json:"status"`
		Details []json.RawMessage `json:"details"`
	} `json:"error"`
}

// httpStatus maps canonical codes as google/rpc/code.proto does, but for a body that is too large: HTTP has a status of
// its own for it, and clients repeat what got a 429.
func httpStatus(err *strangler.Error) int {
	if err.Reason == edge.RequestTooLarge {
		return http.StatusRequestEntityTooLarge
	}
	return runtime.HTTPStatusFromCode(err.Code)
}

// refuse answers with an error.
func (s *server) refuse(w http.ResponseWriter, err *strangler.Error) {
	s.write(w, httpStatus(err), err)
}

func (s *server) write(w http.ResponseWriter, status int, err *strangler.Error) {
	s.boundWrites(w)
	body := errorJSON(status, err)
	h := w.Header()
	if err.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(err.RetryAfter.Seconds()))))
	}
	h.Set("Content-Type", jsonType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the caller is gone
}

func errorJSON(status int, err *strangler.Error) []byte {
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
