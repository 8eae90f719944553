package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/strangler"
)

// body fills the request, or the field of it that the rule names, from the body. No body at all sets nothing.
func (s *server) body(w http.ResponseWriter, r *http.Request, rt *route, msg *dynamicpb.Message) *strangler.Error {
	buf := s.buffer()
	defer s.release(buf)
	if failed := s.read(w, r, buf); failed != nil {
		return failed
	}
	text := buf.Bytes()
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if failed := checkType(r.Header); failed != nil {
		return failed
	}
	switch fd := rt.body; {
	case fd == nil:
		return s.decodeInto(msg, text, "")
	case fd.Message() != nil && !fd.IsList() && !fd.IsMap():
		field := msg.Mutable(fd).Message()
		if failed := s.decodeInto(field.Interface(), text, string(fd.Name())); failed != nil {
			return failed
		}
		if rt.mask != nil {
			return setBodyMask(msg, rt, field, text)
		}
		return nil
	default: // a value of its own is read as the member of an object
		if !json.Valid(text) {
			return notJSON(string(fd.Name()), json.Unmarshal(text, new(json.RawMessage)))
		}
		name, err := json.Marshal(fd.JSONName())
		if err != nil {
			return strangler.AsError(err)
		}
		object := append(append(append(append([]byte{'{'}, name...), ':'), text...), '}')
		return s.decodeInto(msg, object, "")
	}
}

// decodeInto decodes a JSON object; under is where msg stands in the request.
func (s *server) decodeInto(msg proto.Message, text []byte, under string) *strangler.Error {
	if err := s.decode.Unmarshal(text, msg); err != nil {
		return explain(text, msg.ProtoReflect().Descriptor(), under, err)
	}
	return nil
}

// read reads the whole body, up to the limit.
func (s *server) read(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer) *strangler.Error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 { // HTTP/2 has a body even where there is none
		return nil
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return strangler.Invalid("content-encoding", "%q is not understood; send the body as it is", enc)
	}
	if r.ContentLength > int64(s.maxRequestBytes) {
		return edge.TooLarge(s.maxRequestBytes)
	}
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, int64(s.maxRequestBytes)))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		return edge.TooLarge(s.maxRequestBytes)
	case r.Context().Err() != nil:
		return strangler.AsError(r.Context().Err())
	}
	return strangler.Fail(codes.InvalidArgument, "BODY_UNREADABLE", "the body broke off; send it again").WithCause(err)
}

// noBody refuses a body where none is taken, but for the empty object that many clients send with every POST.
func (s *server) noBody(w http.ResponseWriter, r *http.Request) *strangler.Error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	buf := s.buffer()
	defer s.release(buf)
	if failed := s.read(w, r, buf); failed != nil {
		return failed
	}
	if text := bytes.TrimSpace(buf.Bytes()); len(text) > 0 && string(text) != "{}" {
		return strangler.Invalid("body", "this method takes no body; send the fields as query parameters")
	}
	return nil
}

// checkType takes JSON in UTF-8, and no type at all.
func checkType(h http.Header) *strangler.Error {
	given := h.Get("Content-Type")
	if given == "" || given == jsonType {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	if err != nil || kind != jsonType || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return strangler.Invalid("content-type", "%s is not understood; send JSON with Content-Type: %s", shown(given), jsonType)
	}
	return nil
}

// setBodyMask makes the update mask of a PATCH from what the body has, where the request has none (AIP-134). It has no
// fields that the path names, since the body only repeats those, and names a Date or Money as the one value that it is.
func setBodyMask(msg *dynamicpb.Message, rt *route, field protoreflect.Message, text []byte) *strangler.Error {
	mask := rt.mask
	made, err := runtime.FieldMaskFromRequestBody(io.Reader(bytes.NewReader(text)), field.Interface())
	if err != nil {
		return strangler.Invalid(string(mask.Name()), "it can't be made from the body; give it as a query parameter").WithCause(err)
	}
	paths := msg.Mutable(mask).Message()
	list := paths.Mutable(mask.Message().Fields().ByName("paths")).List()
	var before string
	for _, p := range made.GetPaths() {
		bound := func(v variable) bool { return v.name == string(rt.body.Name())+"."+p }
		if whole := wholeValue(field.Descriptor(), p); whole != before && !slices.ContainsFunc(rt.variables, bound) {
			list.Append(protoreflect.ValueOfString(whole))
			before = whole
		}
	}
	return nil
}

// wholeValue cuts a path at the first message of Google's own types: those are values, not groups of fields.
func wholeValue(md protoreflect.MessageDescriptor, path string) string {
	names := strings.Split(path, ".")
	for i, name := range names {
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil || fd.Message() == nil || fd.IsList() || fd.IsMap() {
			break
		}
		if md = fd.Message(); strings.HasPrefix(string(md.FullName()), "google.") {
			return strings.Join(names[:i+1], ".")
		}
	}
	return path
}
