package openapi

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
)

// route is a path of the document, and the variables in it, which all its operations share: OpenAPI takes paths that
// differ in names only for one.
type route struct {
	path  string
	names []string // of its variables, in order
	item  *pathItem
}

// place is a variable of an OpenAPI path: one segment of a template, or all that is left ("**").
type place struct {
	name string
	// field is the field path that the template binds here; "" for a wildcard that binds nothing.
	field string
	// whole says that the segment is all of the field's value; else the value has the form, such as shops/{shop}.
	whole bool
	form  string
	deep  bool
}

// routed is a template as OpenAPI has it: text with {} for each variable, and the variables.
type routed struct {
	shape  string
	places []place
}

// routeOf takes a template apart. A variable of several segments becomes one for each wildcard in it, since OpenAPI's
// have no slashes.
func routeOf(t contract.Template) routed {
	var r routed
	var b strings.Builder
	taken := func(name string) bool {
		return slices.ContainsFunc(r.places, func(p place) bool { return p.name == name })
	}
	put := func(p place) {
		base := p.name
		for n := 2; taken(p.name); n++ {
			p.name = base + "_" + strconv.Itoa(n)
		}
		r.places = append(r.places, p)
		b.WriteString("{}")
	}
	for _, s := range t.Segments {
		switch {
		case s.Field == "" && isWildcard(s.Literal):
			b.WriteByte('/')
			put(place{name: "segment", deep: s.Literal == "**"})
		case s.Field == "":
			b.WriteString("/" + s.Literal)
		case len(s.Pattern) == 1 && isWildcard(s.Pattern[0]):
			b.WriteByte('/')
			put(place{name: s.Field, field: s.Field, whole: true, deep: s.Pattern[0] == "**"})
		default:
			first := len(r.places)
			for i, part := range s.Pattern {
				b.WriteByte('/')
				if !isWildcard(part) {
					b.WriteString(part)
					continue
				}
				name := s.Field
				if i > 0 && !isWildcard(s.Pattern[i-1]) {
					name = singular(s.Pattern[i-1])
				}
				put(place{name: name, field: s.Field, deep: part == "**"})
			}
			form := formOf(s.Pattern, r.places[first:])
			for i := first; i < len(r.places); i++ {
				r.places[i].form = form
			}
		}
	}
	if t.Verb != "" {
		b.WriteString(":" + t.Verb)
	}
	r.shape = b.String()
	return r
}

// formOf writes a variable's pattern with the names of its parts: shops/{shop}/orders/{order}.
func formOf(pattern []string, places []place) string {
	parts := slices.Clone(pattern)
	for i := range parts {
		if isWildcard(parts[i]) {
			parts[i] = "{" + places[0].name + "}"
			places = places[1:]
		}
	}
	return strings.Join(parts, "/")
}

// path writes the shape with names.
func (r routed) path(names []string) string {
	out := r.shape
	for _, name := range names {
		out = strings.Replace(out, "{}", "{"+name+"}", 1)
	}
	return out
}

func isWildcard(segment string) bool { return segment == "*" || segment == "**" }

// singular names a member of a collection (AIP-122): product for products.
func singular(plural string) string {
	for _, hissing := range []string{"sses", "xes", "ches", "shes"} {
		if strings.HasSuffix(plural, hissing) {
			return strings.TrimSuffix(plural, "es")
		}
	}
	switch {
	case strings.HasSuffix(plural, "ies") && len(plural) > len("ies"):
		return strings.TrimSuffix(plural, "ies") + "y"
	case strings.HasSuffix(plural, "ss"):
		return plural
	case strings.HasSuffix(plural, "s") && len(plural) > 1:
		return strings.TrimSuffix(plural, "s")
	}
	return plural
}

// pathParameters makes the parameters of a rule's path, under the names that the route has.
func (b *schemas) pathParameters(op *contract.Operation, r routed, names []string) []parameter {
	var out []parameter
	for i, at := range r.places {
		p := parameter{Name: names[i], In: "path", Required: true, Schema: &schema{Type: typeString}}
		fd := fieldAt(op.Input, at.field)
		switch {
		case fd == nil:
			p.Description = "Any text; it makes no difference."
		case at.whole:
			p.Description = fieldText(fd)
			p.Schema = b.parameter(fd)
			p.Deprecated = isDeprecated(fd)
		default:
			p.Description = paragraphs("A part of `"+fd.JSONName()+"`, which is `"+at.form+"`.", fieldText(fd))
			p.Deprecated = isDeprecated(fd)
		}
		switch {
		case at.deep:
			p.Description = paragraphs(p.Description, "All that is left of the path: it may have slashes, which are sent as they are, not percent-encoded.")
		case p.Schema.Type == typeString && p.Schema.Pattern == "":
			p.Schema.MinLength = 1
		}
		out = append(out, p)
	}
	return out
}

// fieldAt finds a field by its path with dots; nil when there is none.
func fieldAt(md protoreflect.MessageDescriptor, path string) protoreflect.FieldDescriptor {
	var fd protoreflect.FieldDescriptor
	for _, name := range strings.Split(path, ".") {
		if md == nil {
			return nil
		}
		if fd = md.Fields().ByName(protoreflect.Name(name)); fd == nil {
			return nil
		}
		md = fd.Message()
	}
	return fd
}

// cutField gives what a path names inside of a field.
func cutField(path, field string) (rest string, ok bool) {
	return strings.CutPrefix(path, field+".")
}
