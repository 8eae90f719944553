package legacy

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/strangler"
)

// updateMask is how an operation reads its update_mask (AIP-134, AIP-161): the mask is about one message field of the
// request, the resource, and each of its paths must be one that a statement writes.
type updateMask struct {
	field    protoreflect.FieldDescriptor // update_mask
	paths    protoreflect.FieldDescriptor // its paths
	resource protoreflect.FieldDescriptor
	// writable are the resource's paths that statements use.
	writable []string
	// keys are the resource's paths that find the rows.
	keys []string
	// etag says that statements compare the resource's etag, which a mask may have: that of a PATCH is its body.
	etag bool
}

// etagField is the field by which a caller says what he has seen (AIP-154).
const etagField = "etag"

// findMask gives the update mask of a request; nil when it has none, or when which message it is about is not plain.
func findMask(input protoreflect.MessageDescriptor, body string) *updateMask {
	fd := input.Fields().ByName("update_mask")
	if fd == nil || fd.IsList() || fd.Message() == nil || fd.Message().FullName() != "google.protobuf.FieldMask" {
		return nil
	}
	m := &updateMask{field: fd, paths: fd.Message().Fields().ByName("paths")}
	if body != "" && body != "*" {
		m.resource = input.Fields().ByName(protoreflect.Name(body))
	}
	if m.resource == nil {
		for i := range input.Fields().Len() {
			f := input.Fields().Get(i)
			if f == fd || f.Message() == nil || f.IsList() || f.IsMap() || strings.HasPrefix(string(f.Message().FullName()), "google.protobuf.") {
				continue
			}
			if m.resource != nil {
				return nil
			}
			m.resource = f
		}
	}
	if m.resource == nil || m.resource.Message() == nil {
		return nil
	}
	return m
}

// givenMask is the update_mask of one request.
type givenMask struct {
	paths []string
	all   bool
}

// read gives the request's mask, nil when it has none (then what is set is written), and refuses paths that the
// resource does not have or that no statement writes, since they would be dropped in silence.
func (m *updateMask) read(req protoreflect.Message) (*givenMask, error) {
	if !req.Has(m.field) {
		return nil, nil
	}
	list := req.Get(m.field).Message().Get(m.paths).List()
	if list.Len() == 0 {
		return nil, nil
	}
	g := &givenMask{}
	for i := range list.Len() {
		p := list.Get(i).String()
		if p == "*" {
			if lost := m.unwritten(req.Get(m.resource).Message(), ""); lost != "" {
				return nil, strangler.Invalid("update_mask", "%q can't be changed by this call, and the mask's \"*\" covers it; leave it out of the request", lost)
			}
			g.all = true
			continue
		}
		if p == etagField && m.etag {
			g.paths = append(g.paths, p)
			continue
		}
		if !pathExists(m.resource.Message(), p) {
			return nil, strangler.Invalid("update_mask", "%q is no field of %s", p, m.resource.Name())
		}
		if !slices.ContainsFunc(m.writable, func(w string) bool { return w == p || strings.HasPrefix(w, p+".") }) {
			if i := slices.IndexFunc(m.writable, func(w string) bool { return strings.HasPrefix(p, w+".") }); i >= 0 {
				return nil, strangler.Invalid("update_mask", "%q is written as a whole; name %q and send all of it", m.writable[i], m.writable[i])
			}
			return nil, strangler.Invalid("update_mask", "%q can't be changed by this call; leave it out of the mask, and of the body where that is the mask", p)
		}
		if lost := m.lost(req.Get(m.resource).Message(), p); lost != "" {
			return nil, strangler.Invalid("update_mask", "%q can't be changed by this call, and the mask's %q covers it; leave it out of the request", lost, p)
		}
		g.paths = append(g.paths, p)
	}
	return g, nil
}

// lost finds a field below path that the request sets and no statement writes; "" when there is none.
func (m *updateMask) lost(resource protoreflect.Message, path string) string {
	msg := resource
	for name := range strings.SplitSeq(path, ".") {
		fd := msg.Descriptor().Fields().ByName(protoreflect.Name(name))
		if fd.Message() == nil || fd.IsList() || fd.IsMap() || !msg.Has(fd) {
			return ""
		}
		msg = msg.Get(fd).Message()
	}
	return m.unwritten(msg, path)
}

func (m *updateMask) unwritten(msg protoreflect.Message, path string) (lost string) {
	if slices.Contains(m.writable, path) {
		return ""
	}
	msg.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		sub := strings.TrimPrefix(path+"."+string(fd.Name()), ".")
		switch {
		case slices.Contains(m.keys, sub) || outputOnly(fd): // what finds the rows, and what callers may send back
		case sub == etagField && m.etag:
		case slices.ContainsFunc(m.writable, func(w string) bool { return w == sub || strings.HasPrefix(sub, w+".") }):
		case fd.Message() != nil && !fd.IsList() && !fd.IsMap():
			lost = m.unwritten(v.Message(), sub)
		default:
			lost = sub
		}
		return lost == ""
	})
	return lost
}

// covers tells whether the mask has path, or a message above it.
func (g *givenMask) covers(path string) bool {
	return g.all || slices.ContainsFunc(g.paths, func(p string) bool { return p == path || strings.HasPrefix(path, p+".") })
}

func pathExists(md protoreflect.MessageDescriptor, path string) bool {
	names := strings.Split(path, ".")
	for i, name := range names {
		if md == nil {
			return false
		}
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil || (i < len(names)-1 && (fd.IsList() || fd.IsMap())) {
			return false
		}
		md = fd.Message()
	}
	return true
}
