package versions

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// maskPlan is how an update (AIP-134) reads its mask. The paths of a mask are about the resource: a message of the
// request, or the request itself where it has none.
type maskPlan struct {
	request *plan
	// field and target are the masks of the source and the target; field is nil where the source has none.
	field, target protoreflect.FieldDescriptor
	// resource and targetResource are the resources; nil for the requests themselves.
	resource, targetResource protoreflect.FieldDescriptor
}

// update is what one request changes. It is nil in what is no update, and in what is replaced as a whole.
type update struct {
	// paths are those of the mask, below the request; none: what is set is changed.
	paths []string
	// prefix is the path of the message that this is about, with a dot behind; "" for the request.
	prefix string
}

// below gives the update of a field's message.
func (u *update) below(fd protoreflect.FieldDescriptor) *update {
	if u == nil {
		return nil
	}
	return &update{u.paths, u.prefix + string(fd.Name()) + "."}
}

// covers says whether a field is changed. Without a mask that is so for what is set, which this field is not.
func (u *update) covers(path string) bool {
	return u == nil || slices.ContainsFunc(u.paths, func(p string) bool { return within(u.prefix+path, p) })
}

// skips says whether an expression is not evaluated, since nothing that it reads is changed. It refuses to make a value of
// fields that are changed and others that are not, which would be taken for empty.
func (u *update) skips(f *filler, m protoreflect.Message) (bool, error) {
	if u == nil {
		return false, nil
	}
	set := 0
	for _, read := range f.reads {
		if isSet(m, read) {
			set++
		}
	}
	changed := set
	if len(u.paths) > 0 {
		changed = 0
		for _, path := range f.paths {
			if u.covers(path) || slices.ContainsFunc(u.paths, func(p string) bool { return within(p, u.prefix+path) }) {
				changed++
			}
		}
	}
	if changed > 0 && changed < len(f.paths) {
		how := "send all of them, or name those in the update mask that are to become empty, too"
		if len(u.paths) > 0 {
			how = "name all of them in the update mask, and send them"
		}
		return false, &fieldError{paths: f.paths, text: "these are changed together only (" + strings.Join(f.paths, ", ") + "); " + how}
	}
	if len(f.paths) == 0 {
		return true, nil // a constant changes nothing
	}
	return changed == 0 && set < len(f.paths), nil
}

// isSet says whether a field is set, by a path of single messages.
func isSet(m protoreflect.Message, path []protoreflect.FieldDescriptor) bool {
	for i, fd := range path {
		if !m.Has(fd) {
			return false
		}
		if i < len(path)-1 {
			m = m.Get(fd).Message()
		}
	}
	return true
}

// findUpdate gives the fields of an update's mask and resource, as the contract has them: the mask is called update_mask,
// the resource is the body, or else the only message.
func findUpdate(input protoreflect.MessageDescriptor, rules []contract.Rule) (mask, resource protoreflect.FieldDescriptor) {
	mask = input.Fields().ByName("update_mask")
	if mask == nil || mask.IsList() || mask.Message() == nil || mask.Message().FullName() != fieldMask {
		mask = nil
	}
	for _, r := range rules {
		if fd := input.Fields().ByName(protoreflect.Name(r.Body)); fd != nil && single(fd) {
			return mask, fd
		}
	}
	fields := input.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !single(fd) || strings.HasPrefix(string(fd.Message().FullName()), "google.protobuf.") {
			continue
		}
		if resource != nil {
			return mask, nil
		}
		resource = fd
	}
	return mask, resource
}

// read takes the mask out of a request.
func (p *maskPlan) read(src []byte) (*update, error) {
	u := &update{}
	if p.field == nil {
		return u, nil
	}
	for len(src) > 0 {
		num, typ, n := protowire.ConsumeTag(src)
		if n < 0 {
			return nil, &malformedError{protowire.ParseError(n)}
		}
		size := protowire.ConsumeFieldValue(num, typ, src[n:])
		if size < 0 {
			return nil, &malformedError{protowire.ParseError(size)}
		}
		if num == p.field.Number() && typ == protowire.BytesType {
			inner, _ := protowire.ConsumeBytes(src[n : n+size])
			m := &fieldmaskpb.FieldMask{}
			if err := proto.Unmarshal(inner, m); err != nil {
				return nil, &malformedError{err}
			}
			u.paths = append(u.paths, m.GetPaths()...)
		}
		src = src[n+size:]
	}
	for i, path := range u.paths {
		if path == "*" {
			path = ""
		}
		u.paths[i] = strings.Trim(prefixOfResource(p.resource)+path, ".")
	}
	return u, nil
}

func prefixOfResource(fd protoreflect.FieldDescriptor) string {
	if fd == nil {
		return ""
	}
	return string(fd.Name()) + "."
}

// translate gives the target's paths of the mask.
func (p *maskPlan) translate(u *update) ([]string, error) {
	var out []string
	prefix := prefixOfResource(p.targetResource)
	for _, full := range u.paths {
		own := strings.TrimPrefix(full, prefixOfResource(p.resource))
		if full == "" || p.resource != nil && full == string(p.resource.Name()) {
			out = append(out, "*")
			continue
		}
		path := strings.Split(full, ".")
		if !exists(p.request.source, path) {
			return nil, strangler.Invalid(string(p.field.Name()), "%q is no field of %s", own, p.subject())
		}
		found := p.request.forward(path)
		kept := found[:0]
		for _, to := range found {
			if rest, ok := strings.CutPrefix(to, prefix); ok {
				kept = append(kept, rest)
			}
		}
		if len(kept) == 0 {
			return nil, strangler.Invalid(string(p.field.Name()), "%q can't be changed by this call; leave it out of the mask, and of the body where that is the mask", own)
		}
		for _, to := range kept {
			if !slices.Contains(out, to) {
				out = append(out, to)
			}
		}
	}
	return out, nil
}

// subject is what the mask's paths are about, for callers.
func (p *maskPlan) subject() protoreflect.Name {
	if p.resource != nil {
		return p.resource.Name()
	}
	return p.request.source.Name()
}

// exists says whether a path leads through single messages to a field.
func exists(md protoreflect.MessageDescriptor, path []string) bool {
	for i, name := range path {
		if md == nil {
			return false
		}
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil || i < len(path)-1 && !single(fd) {
			return false
		}
		md = fd.Message()
	}
	return true
}

// forward gives the target's paths that are made of a path of the source, or of what is below it.
func (p *plan) forward(path []string) (out []string) {
	for _, l := range p.links {
		for _, read := range l.reads {
			n := min(len(read), len(path))
			if !slices.Equal(read[:n], path[:n]) {
				continue
			}
			to := strings.Join(l.target, ".")
			rest := path[n:]
			switch {
			case len(rest) == 0 || l.expression || l.list:
				out = append(out, to)
			case l.sub == nil:
				out = append(out, to+"."+strings.Join(rest, "."))
			default:
				for _, deeper := range l.sub.forward(rest) {
					out = append(out, to+"."+deeper)
				}
			}
			break
		}
	}
	return out
}
