package openapi

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
)

// query collects the query parameters of a rule: all fields of the request that neither the path nor the body has, those
// of messages in it with dots.
type query struct {
	schemas *schemas
	bound   []string // by the path, and the body's field
	out     []parameter
	within  []protoreflect.FullName // messages that lead here: one in itself would have no end
	choices []string                // of the fields that lead here, as choice says them
}

// queryParameters makes the query parameters of a rule.
func (b *schemas) queryParameters(op *contract.Operation, rule contract.Rule, bound []string) []parameter {
	if rule.Body == "*" {
		return nil
	}
	q := query{schemas: b, bound: bound}
	if rule.Body != "" {
		q.bound = append(slices.Clone(bound), rule.Body)
	}
	q.message(op.Input, "", "", true)
	if fd := bodyMask(op, rule); fd != nil {
		for i := range q.out {
			if q.out[i].Name == fd.JSONName() {
				q.out[i].Required = false
				q.out[i].Description = paragraphs(q.out[i].Description, "Left out: the fields that the body has.")
			}
		}
	}
	return q.out
}

// message adds the fields of a message. path is where it stands in names of the .proto file, name the same as in JSON;
// needed says that all that leads here has to be there.
func (q *query) message(md protoreflect.MessageDescriptor, path, name string, needed bool) {
	if slices.Contains(q.within, md.FullName()) {
		return
	}
	q.within = append(q.within, md.FullName())
	fields := md.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		own := path + string(fd.Name())
		if slices.Contains(q.bound, own) || excluded(fd, path, q.bound) || behaviors(fd).outputOnly {
			continue
		}
		among := len(q.choices)
		if text := choice(fd, name); text != "" {
			q.choices = append(q.choices, text)
		}
		q.field(fd, own, name+fd.JSONName(), needed && behaviors(fd).required)
		q.choices = q.choices[:among]
	}
	q.within = q.within[:len(q.within)-1]
}

func (q *query) field(fd protoreflect.FieldDescriptor, path, name string, needed bool) {
	has := behaviors(fd)
	p := parameter{
		Name: name, In: "query", Required: needed, Deprecated: isDeprecated(fd),
		Description: paragraphs(fieldText(fd), strings.Join(q.choices, " "), has.note()),
	}
	of := fd
	if fd.IsMap() {
		of = fd.MapValue()
	}
	if md := of.Message(); md != nil {
		switch s := wellKnown(md); {
		case s == nil && (fd.IsList() || fd.IsMap()), md.FullName() == "google.protobuf.Any", md.FullName() == "google.protobuf.Empty":
			return // a query can't say them
		case s == nil:
			q.message(md, path+".", name+".", needed)
			return
		case isFreeJSON(md) && (fd.IsList() || fd.IsMap()):
			return // there is no way to write several pieces of JSON in OpenAPI
		case isFreeJSON(md):
			p.Content = members[mediaType]{{jsonType, mediaType{Schema: s}}}
			q.out = append(q.out, p)
			return
		}
	}
	switch {
	case fd.IsMap():
		p.Style, p.Explode = "deepObject", true
		p.Schema = &schema{Type: typeObject, PropertyNames: keySchema(fd.MapKey()), AdditionalProperties: q.schemas.parameter(of)}
	case fd.IsList():
		p.Schema = &schema{Type: typeArray, Items: q.schemas.parameter(fd)}
	default:
		p.Schema = q.schemas.parameter(fd)
	}
	q.out = append(q.out, p)
}

// isFreeJSON tells whether a message stands for JSON of any form, which a query has as such.
func isFreeJSON(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
		return true
	}
	return false
}

// bodyMask gives the request's only field mask where it is made from the body of a PATCH that has none (AIP-134); nil
// where it is not.
func bodyMask(op *contract.Operation, rule contract.Rule) protoreflect.FieldDescriptor {
	if !partial(op, rule) {
		return nil
	}
	var found protoreflect.FieldDescriptor
	fields := op.Input.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Message() == nil || fd.Message().FullName() != "google.protobuf.FieldMask" || fd.IsList() {
			continue
		}
		if found != nil {
			return nil
		}
		found = fd
	}
	return found
}

// partial tells whether the body of a rule is a message of which it may name a part.
func partial(op *contract.Operation, rule contract.Rule) bool {
	if rule.Method != "PATCH" || rule.Body == "" || rule.Body == "*" {
		return false
	}
	fd := fieldAt(op.Input, rule.Body)
	return fd != nil && fd.Message() != nil && !fd.IsList() && !fd.IsMap()
}
