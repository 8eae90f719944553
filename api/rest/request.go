package rest

import (
	"net/http"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/strangler"
)

// request makes the operation's request from the body, then the path, then the query, as generated gateways do.
func (s *server) request(w http.ResponseWriter, r *http.Request, rt *route, segments []segment) (*dynamicpb.Message, *strangler.Error) {
	msg := dynamicpb.NewMessage(rt.op.Input)
	if rt.rule.Body == "" {
		if failed := s.noBody(w, r); failed != nil {
			return nil, failed
		}
	} else if failed := s.body(w, r, rt, msg); failed != nil {
		return nil, failed
	}
	for i := range rt.variables {
		v := &rt.variables[i]
		if failed := setPath(msg, v.name, v.path, v.value(segments)); failed != nil {
			return nil, failed
		}
	}
	if r.URL.RawQuery != "" {
		if failed := rt.query(msg, r.URL.RawQuery, s.decode); failed != nil {
			return nil, failed
		}
	}
	return msg, nil
}

// setPath sets a scalar field by its path. A body that contradicts the path is refused: one of them would be dropped.
func setPath(msg protoreflect.Message, name string, path []protoreflect.FieldDescriptor, text string) *strangler.Error {
	last := len(path) - 1
	for i, fd := range path {
		if failed := alone(msg, fd, name); failed != nil {
			return failed
		}
		if i < last {
			msg = msg.Mutable(fd).Message()
		}
	}
	v, err := parseScalar(path[last], text)
	if err != nil {
		return strangler.Invalid(name, "%v", err)
	}
	if msg.Has(path[last]) && !msg.Get(path[last]).Equal(v) {
		return strangler.Invalid(name, "the path has another value; give the body the same, or leave it out there")
	}
	msg.Set(path[last], v)
	return nil
}
