package versions

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
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
	// keys are the target's paths that find what is changed.
	keys []string
}

// update is what one request changes. It is nil in what is no update, and in what is replaced as a whole.
type update struct {
	// paths are those of the mask, below the request; none: what is set is changed.
	paths []string
	// prefix is the path of the message that this is about, with a dot behind; "" for the request.
	prefix string
	// request is the whole of it.
	request []byte
}

// below gives the update of a field's message.
func (u *update) below(fd protoreflect.FieldDescriptor) *update {
	if u == nil {
		return nil
	}
	return &update{paths: u.paths, prefix: u.prefix + string(fd.Name()) + "."}
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
	u := &update{request: src}
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
	m := dynamicpb.NewMessage(p.request.source)
	if p.request.partial {
		if err := contract.Unmarshal(proto.UnmarshalOptions{}, u.request, m); err != nil {
			return nil, &malformedError{err}
		}
	}
	var out []string
	for _, full := range u.paths {
		var found []string
		if full == "" || p.resource != nil && full == string(p.resource.Name()) {
			found = p.everything(m)
		} else {
			var err error
			if found, err = p.named(full, m); err != nil {
				return nil, err
			}
		}
		for _, to := range found {
			if !slices.Contains(out, to) {
				out = append(out, to)
			}
		}
	}
	return out, nil
}

// named gives the target's paths of one path.
func (p *maskPlan) named(full string, m protoreflect.Message) ([]string, error) {
	own, path := strings.TrimPrefix(full, prefixOfResource(p.resource)), strings.Split(full, ".")
	if !exists(p.request.source, path) {
		return nil, strangler.Invalid(string(p.field.Name()), "%q is no field of %s", own, p.subject())
	}
	kept := p.ofResource(p.request.forward(path, m, 0))
	if len(kept) == 0 {
		return nil, strangler.Invalid(string(p.field.Name()), "%q can't be changed by this call; leave it out of the mask, and of the body where that is the mask", own)
	}
	return kept, nil
}

// everything gives the target's paths of a mask that names all of the resource: "*", or all that the source has, where the
// target has more. What the older version doesn't know stays as it is.
func (p *maskPlan) everything(m protoreflect.Message) []string {
	if !p.request.partial {
		return []string{"*"}
	}
	var path []string
	if p.resource != nil {
		path = []string{string(p.resource.Name())}
	}
	kept := p.ofResource(p.request.forward(path, m, 0))
	kept = slices.DeleteFunc(kept, func(to string) bool {
		return slices.Contains(p.keys, to) || p.targetResource == nil && to == string(p.target.Name())
	})
	if len(kept) == 0 {
		return []string{"*"} // the resource is the same on both sides
	}
	return kept
}

// ofResource gives the paths within the target's resource, of those within its request.
func (p *maskPlan) ofResource(found []string) (out []string) {
	for _, to := range found {
		if rest, ok := strings.CutPrefix(to, prefixOfResource(p.targetResource)); ok {
			out = append(out, rest)
		}
	}
	return out
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

// forward gives the target's paths that are made of a path of the source, or of what is below it. m is the message of the
// source, depth how many messages it is in.
func (p *plan) forward(path []string, m protoreflect.Message, depth int) (out []string) {
	for _, l := range p.links {
		for _, read := range l.reads {
			n := min(len(read), len(path))
			if !slices.Equal(read[:n], path[:n]) || l.fixed && len(read) > len(path) {
				continue
			}
			to := strings.Join(l.target, ".")
			rest := path[n:]
			switch {
			case len(rest) == 0 && l.parted(m, depth):
				for _, deeper := range l.sub.forward(nil, messageAt(m, read), depth+1) {
					out = append(out, to+"."+deeper)
				}
			case len(rest) == 0 || l.expression || l.list:
				out = append(out, to)
			case l.sub == nil:
				out = append(out, to+"."+strings.Join(rest, "."))
			default:
				for _, deeper := range l.sub.forward(rest, messageAt(m, read), depth+1) {
					out = append(out, to+"."+deeper)
				}
			}
			break
		}
	}
	return out
}

// deepestPath is how many messages deep the paths of a mask are taken apart, so that they don't grow with the square of a
// request that is nested deep.
const deepestPath = 16

// parted says whether a message that a mask names as a whole is named by its parts in the target, which has more of it
// than the source: that stays as it is. A message that isn't there takes all of it along.
func (l *link) parted(m protoreflect.Message, depth int) bool {
	if l.sub == nil || l.expression || l.list || !l.sub.partial || depth == deepestPath {
		return false
	}
	return messageAt(m, l.reads[0]).IsValid()
}

// messageAt gives the message at a path of single messages, which may be not there: then it isn't valid.
func messageAt(m protoreflect.Message, path []string) protoreflect.Message {
	for _, name := range path {
		m = m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name))).Message()
	}
	return m
}
