package rest

import (
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/strangler"
)

// query sets the request's fields from the query: those that neither the path nor the body has. Names are those of the
// .proto file or of JSON, with dots into messages; map entries are written labels[key]=value.
func (rt *route) query(msg protoreflect.Message, raw string, decode protojson.UnmarshalOptions) *strangler.Error {
	q := query{route: rt, msg: msg, decode: decode}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			return strangler.Invalid(key, "the parameter's name is malformed; percent-encode it")
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return strangler.Invalid(name, "the value is malformed; percent-encode it")
		}
		if failed := q.set(name, text); failed != nil {
			return failed
		}
	}
	return nil
}

// query fills one request.
type query struct {
	route  *route
	msg    protoreflect.Message
	decode protojson.UnmarshalOptions
	seen   []string // fields with one value that have been set, as paths
}

func (q *query) set(name, text string) *strangler.Error {
	if q.route.rule.Body == "*" {
		return strangler.Invalid(name, "unknown query parameter; all fields of this method's request are in the body")
	}
	dotted, mapKey, isEntry := mapEntry(name)
	path, failed := resolve(q.msg.Descriptor(), name, dotted)
	if failed != nil {
		return failed
	}
	last := path[len(path)-1]
	own := pathName(path)
	if isEntry != last.IsMap() {
		if isEntry {
			return strangler.Invalid(own, "it is no map; write %s=value", dotted)
		}
		return strangler.Invalid(own, "it is a map; write %s[key]=value", dotted)
	}
	if done, failed := q.bound(own, path, text); done || failed != nil {
		return failed
	}
	if !last.IsList() && !isEntry {
		if failed := q.once(own); failed != nil {
			return failed
		}
	}
	msg := q.msg
	for _, fd := range path[:len(path)-1] {
		if failed := alone(msg, fd, own); failed != nil {
			return failed
		}
		msg = msg.Mutable(fd).Message()
	}
	if failed := alone(msg, last, own); failed != nil {
		return failed
	}
	return q.put(msg, last, own, mapKey, text)
}

// put sets, appends or inserts the value.
func (q *query) put(msg protoreflect.Message, fd protoreflect.FieldDescriptor, own, mapKey, text string) *strangler.Error {
	of := fd
	if fd.IsMap() {
		of = fd.MapValue()
	}
	v, err := q.value(of, text)
	if err != nil {
		return strangler.Invalid(own, "%v", err)
	}
	switch {
	case fd.IsMap():
		k, err := parseScalar(fd.MapKey(), mapKey)
		if err != nil {
			return strangler.Invalid(own, "the key: %v", err)
		}
		entries := msg.Mutable(fd).Map()
		if entries.Has(k.MapKey()) { // by whatever spelling: 1, +1 and 01 are one key
			return strangler.Invalid(own, "the key %s is given twice; it has one value", shown(mapKey))
		}
		entries.Set(k.MapKey(), v)
	case fd.IsList():
		msg.Mutable(fd).List().Append(v)
	default:
		msg.Set(fd, v)
	}
	return nil
}

// bound refuses what the body has, and what contradicts the path; done says that the path has just that.
func (q *query) bound(own string, path []protoreflect.FieldDescriptor, text string) (done bool, failed *strangler.Error) {
	if q.route.body != nil && path[0] == q.route.body {
		return false, strangler.Invalid(own, "it is part of the body; remove the query parameter")
	}
	for i := range q.route.variables {
		v := &q.route.variables[i]
		if v.name != own {
			continue
		}
		msg := q.msg
		for _, fd := range path[:len(path)-1] {
			msg = msg.Get(fd).Message()
		}
		last := path[len(path)-1]
		if given, err := parseScalar(last, text); err == nil && given.Equal(msg.Get(last)) {
			return true, nil
		}
		return false, strangler.Invalid(own, "the path has another value; remove the query parameter")
	}
	return false, nil
}

// once refuses a second value of a field, by whatever name.
func (q *query) once(own string) *strangler.Error {
	if slices.Contains(q.seen, own) {
		return strangler.Invalid(own, "it is given twice; it has one value")
	}
	q.seen = append(q.seen, own)
	return nil
}

// alone refuses a second member of a oneof.
func alone(msg protoreflect.Message, fd protoreflect.FieldDescriptor, own string) *strangler.Error {
	o := fd.ContainingOneof()
	if o == nil || o.IsSynthetic() {
		return nil
	}
	if other := msg.WhichOneof(o); other != nil && other != fd {
		return strangler.Invalid(own, "only one of %s and %s can be given", other.Name(), fd.Name())
	}
	return nil
}

// mapEntry splits labels[key].
func mapEntry(name string) (dotted, key string, ok bool) {
	open := strings.IndexByte(name, '[')
	if open <= 0 || !strings.HasSuffix(name, "]") {
		return name, "", false
	}
	return name[:open], name[open+1 : len(name)-1], true
}

// maxDepth bounds the fields of a dotted path. Only messages that hold their own kind go deep at all, and the cost of
// nesting grows with its square.
const maxDepth = 100

// resolve finds the fields of a dotted path.
func resolve(md protoreflect.MessageDescriptor, name, dotted string) ([]protoreflect.FieldDescriptor, *strangler.Error) {
	if depth := strings.Count(dotted, ".") + 1; depth > maxDepth {
		first, _, _ := strings.Cut(dotted, ".")
		return nil, strangler.Invalid(first, "the parameter is nested %d fields deep, more than the limit of %d", depth, maxDepth)
	}
	var path []protoreflect.FieldDescriptor
	for rest := dotted; ; {
		var part string
		var more bool
		part, rest, more = strings.Cut(rest, ".")
		fd := field(md, part)
		if fd == nil {
			return nil, strangler.Invalid(name, "unknown query parameter; %s has %s", md.FullName(), fieldList(md))
		}
		path = append(path, fd)
		if !more {
			return path, nil
		}
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return nil, strangler.Invalid(name, "unknown query parameter; %s has no fields of its own here", pathName(path))
		}
		md = fd.Message()
	}
}

// field finds a field by its name in the .proto file or in JSON.
func field(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if fd := md.Fields().ByName(protoreflect.Name(name)); fd != nil {
		return fd
	}
	return md.Fields().ByJSONName(name)
}

func pathName(path []protoreflect.FieldDescriptor) string {
	if len(path) == 1 {
		return string(path[0].Name())
	}
	names := make([]string, len(path))
	for i, fd := range path {
		names[i] = string(fd.Name())
	}
	return strings.Join(names, ".")
}

// fieldList names the fields of a message for a caller, not too many of them.
func fieldList(md protoreflect.MessageDescriptor) string {
	const most = 30
	fields := md.Fields()
	if fields.Len() == 0 {
		return "no fields"
	}
	names := make([]string, 0, min(fields.Len(), most))
	for i := range fields.Len() {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, string(fields.Get(i).Name()))
	}
	return strings.Join(names, ", ")
}
