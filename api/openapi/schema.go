package openapi

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// schema is a JSON Schema 2020-12 as OpenAPI 3.1 has them, with the keywords that are used here. A schema that
// annotates a $ref stands beside it, which 3.1 allows.
type schema struct {
	Ref         string `json:"$ref,omitempty"`
	Description string `json:"description,omitempty"`
	// Type is a name, or a list of names of which one is "null".
	Type                 any              `json:"type,omitempty"`
	Format               string           `json:"format,omitempty"`
	Pattern              string           `json:"pattern,omitempty"`
	MinLength            int              `json:"minLength,omitempty"`
	MaxLength            int              `json:"maxLength,omitempty"`
	ContentEncoding      string           `json:"contentEncoding,omitempty"`
	Minimum              *int64           `json:"minimum,omitempty"`
	Maximum              *int64           `json:"maximum,omitempty"`
	Const                any              `json:"const,omitempty"`
	Enum                 []any            `json:"enum,omitempty"`
	Items                *schema          `json:"items,omitempty"`
	Properties           members[*schema] `json:"properties,omitempty"`
	Required             []string         `json:"required,omitempty"`
	PropertyNames        *schema          `json:"propertyNames,omitempty"`
	AdditionalProperties any              `json:"additionalProperties,omitempty"` // false, or a *schema
	AnyOf                []*schema        `json:"anyOf,omitempty"`
	Not                  *schema          `json:"not,omitempty"`
	ReadOnly             bool             `json:"readOnly,omitempty"`
	WriteOnly            bool             `json:"writeOnly,omitempty"`
	Deprecated           bool             `json:"deprecated,omitempty"`
	Examples             []any            `json:"examples,omitempty"`
}

const (
	typeNull    = "null"
	typeString  = "string"
	typeNumber  = "number"
	typeInteger = "integer"
	typeBoolean = "boolean"
	typeArray   = "array"
	typeObject  = "object"
)

// orNull gives the schema that takes null besides.
func (s *schema) orNull() *schema {
	switch t := s.Type.(type) {
	case string:
		if t != typeNull && len(s.Enum) == 0 && s.Not == nil {
			s.Type = []string{t, typeNull}
			return s
		}
	case []string:
		return s
	case nil:
		if s.Ref == "" && len(s.AnyOf) == 0 {
			return s // it takes anything
		}
		if len(s.AnyOf) > 0 {
			s.AnyOf = append(s.AnyOf, &schema{Type: typeNull})
			return s
		}
	}
	if s.Type == typeNull {
		return s
	}
	return &schema{AnyOf: []*schema{s, {Type: typeNull}}}
}

// use says what a schema describes. What is always there in a reply may be left out of a request, and in a PATCH nothing
// is needed, while null clears a field.
type use int

const (
	reply use = iota
	input
	patch
	// event is a message of an event: what is empty is left out of it.
	event
)

// suffix tells the schemas of a message apart. No name of a message has a hyphen.
func (u use) suffix() string {
	switch u {
	case input:
		return "-Input"
	case patch:
		return "-Patch"
	default:
		return ""
	}
}

// inside is the use of what a field of a message holds. Elements of lists and maps, and Google's own types, are whole
// values: a PATCH does not reach into them.
func (u use) inside(fd protoreflect.FieldDescriptor) use {
	if u != patch {
		return u
	}
	if fd.IsList() || fd.IsMap() || fd.Message() == nil || isGoogles(fd.Message()) {
		return input
	}
	return patch
}

// schemas collects the schemas of one document.
type schemas struct {
	list members[*schema]
	made map[string]bool // those in the list, and those being made
	// replied are the messages that replies hold: in requests, their schemas have a suffix.
	replied map[protoreflect.FullName]bool
}

// put adds a schema.
func (b *schemas) put(name string, s *schema) {
	b.made[name] = true
	b.list = append(b.list, member[*schema]{name, s})
}

const schemaPrefix = "#/components/schemas/"

// message refers to the schema of a message, and makes it when it is not there.
func (b *schemas) message(md protoreflect.MessageDescriptor, u use) *schema {
	name := string(md.FullName())
	if u == patch || b.replied[md.FullName()] {
		name += u.suffix()
	}
	if !b.made[name] {
		b.made[name] = true // before its fields: messages may hold themselves
		b.put(name, b.object(md, u, nil))
	}
	return &schema{Ref: schemaPrefix + name}
}

// object makes the schema of a message, without some fields of it (paths of names with dots).
func (b *schemas) object(md protoreflect.MessageDescriptor, u use, without []string) *schema {
	s := &schema{Type: typeObject, Description: comment(md), Deprecated: isDeprecated(md)}
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if slices.Contains(without, string(fd.Name())) || excluded(fd, "", without) {
			continue
		}
		property := b.field(fd, u, below(without, string(fd.Name())))
		s.Properties = append(s.Properties, member[*schema]{fd.JSONName(), property})
		if needed(fd, u) {
			s.Required = append(s.Required, fd.JSONName())
		}
	}
	s.Not = exclusions(md)
	if u != reply && u != event && md.ExtensionRanges().Len() == 0 {
		s.AdditionalProperties = false
	}
	return s
}

// below gives what paths name inside of a field.
func below(paths []string, field string) []string {
	var out []string
	for _, p := range paths {
		if rest, ok := cutField(p, field); ok {
			out = append(out, rest)
		}
	}
	return out
}

// excluded tells whether a field can't be set beside the paths that are, or lead into what is: another member of its
// oneof is among them. prefix leads to the field.
func excluded(fd protoreflect.FieldDescriptor, prefix string, paths []string) bool {
	o := fd.ContainingOneof()
	if o == nil {
		return false
	}
	for i := range o.Fields().Len() {
		other := o.Fields().Get(i)
		at := prefix + string(other.Name())
		if other != fd && slices.ContainsFunc(paths, func(p string) bool { return p == at || strings.HasPrefix(p, at+".") }) {
			return true
		}
	}
	return false
}

// needed tells whether a member of an object is always there, or has to be. A reply has every field but unset members of
// oneofs, and what is optional is one of those; fields that are only taken are left to say nothing here, since clients
// are told not to expect them.
func needed(fd protoreflect.FieldDescriptor, u use) bool {
	has := behaviors(fd)
	switch u {
	case reply:
		return fd.ContainingOneof() == nil && !has.inputOnly
	case input:
		return has.required && !has.outputOnly
	default:
		return false
	}
}

// exclusions says which members can't stand together: those of a oneof.
func exclusions(md protoreflect.MessageDescriptor) *schema {
	var pairs []*schema
	oneofs := md.Oneofs()
	for i := range oneofs.Len() {
		o := oneofs.Get(i)
		if o.IsSynthetic() {
			continue
		}
		for j := range o.Fields().Len() {
			for k := range j {
				pairs = append(pairs, &schema{Required: []string{o.Fields().Get(k).JSONName(), o.Fields().Get(j).JSONName()}})
			}
		}
	}
	switch len(pairs) {
	case 0:
		return nil
	case 1:
		return pairs[0]
	}
	return &schema{AnyOf: pairs}
}

// field makes the schema of a field, without some fields inside of it.
func (b *schemas) field(fd protoreflect.FieldDescriptor, u use, without []string) *schema {
	s := b.content(fd, u, without)
	inOneof := fd.ContainingOneof() != nil && !fd.ContainingOneof().IsSynthetic()
	// A reply has null for what is unset and can be; a request may have it for the same fields, so that what was got can
	// be sent back.
	if u == patch || fd.HasPresence() && !inOneof && (fd.Message() != nil || fd.ContainingOneof() == nil) {
		s = s.orNull()
	}
	has := behaviors(fd)
	s.Description = paragraphs(fieldText(fd), choice(fd, ""), has.note())
	s.ReadOnly, s.WriteOnly = has.outputOnly, has.inputOnly
	s.Deprecated = s.Deprecated || isDeprecated(fd)
	return s
}

// content makes the schema of what a field holds.
func (b *schemas) content(fd protoreflect.FieldDescriptor, u use, without []string) *schema {
	switch {
	case fd.IsMap():
		return &schema{
			Type: typeObject, PropertyNames: keySchema(fd.MapKey()),
			AdditionalProperties: b.value(fd.MapValue(), u.inside(fd)),
		}
	case fd.IsList():
		return &schema{Type: typeArray, Items: b.value(fd, u.inside(fd))}
	case len(without) > 0:
		return b.object(fd.Message(), u.inside(fd), without)
	}
	return b.value(fd, u.inside(fd))
}

// value makes the schema of one value of a field.
func (b *schemas) value(fd protoreflect.FieldDescriptor, u use) *schema {
	switch {
	case fd.Message() != nil:
		if s := wellKnown(fd.Message()); s != nil {
			return s
		}
		return b.message(fd.Message(), u)
	case fd.Enum() != nil:
		return b.enum(fd.Enum())
	}
	return scalar(fd.Kind())
}

// nullValue is the enum that stands for JSON's null.
const nullValue = "google.protobuf.NullValue"

// parameter makes the schema of a value in a path or a query. It has no examples: pages fill them in, and a call would
// be bound by what nobody asked for.
func (b *schemas) parameter(fd protoreflect.FieldDescriptor) *schema {
	if fd.Enum() != nil && fd.Enum().FullName() == nullValue {
		return &schema{Type: typeString, Enum: []any{"NULL_VALUE"}}
	}
	s := b.value(fd, input)
	s.Examples = nil
	return s
}

// enum refers to the schema of an enum, and makes it when it is not there.
func (b *schemas) enum(ed protoreflect.EnumDescriptor) *schema {
	if ed.FullName() == nullValue {
		return &schema{Type: typeNull}
	}
	name := string(ed.FullName())
	if !b.made[name] {
		s := &schema{Type: typeString, Deprecated: isDeprecated(ed)}
		var list string
		values := ed.Values()
		for i := range values.Len() {
			v := values.Get(i)
			s.Enum = append(s.Enum, string(v.Name()))
			list += valueText(v)
		}
		s.Description = paragraphs(comment(ed), strings.TrimSuffix(list, "\n"))
		b.put(name, s)
	}
	return &schema{Ref: schemaPrefix + name}
}
