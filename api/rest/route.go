package rest

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/api/rest/jsonwire"
	"banyan.dev/banyan/contract"
)

// route is a rule of an operation, made ready.
type route struct {
	op        *contract.Operation
	rule      contract.Rule
	variables []variable
	body      protoreflect.FieldDescriptor // of body: "field"; nil for "" and "*"
	mask      protoreflect.FieldDescriptor // filled from the body of a PATCH; nil when there is none
	reply     protoreflect.FieldDescriptor // of response_body
	plan      *jsonwire.Message            // of the reply
	notice    []edge.Field                 // of a deprecated version
}

// variable is a path parameter.
type variable struct {
	name       string // field path
	path       []protoreflect.FieldDescriptor
	start, end int // of its segments; end is -1 for all that is left
	single     bool
}

// newRoute resolves a rule's names. The contract has checked them; an error here means that it was not loaded by Load.
func newRoute(op *contract.Operation, rule contract.Rule, tmpl contract.Template, plans *jsonwire.Transcoder) (*route, error) {
	r := &route{op: op, rule: rule, plan: plans.Message(op.Output)}
	at := 0
	for _, s := range tmpl.Segments {
		if s.Field == "" {
			at++
			continue
		}
		v := variable{name: s.Field, start: at, end: at + len(s.Pattern), single: len(s.Pattern) == 1 && s.Pattern[0] == "*"}
		at = v.end
		if s.Pattern[len(s.Pattern)-1] == "**" {
			v.end = -1
		}
		md := op.Input
		for _, name := range strings.Split(s.Field, ".") {
			fd := fieldOf(md, protoreflect.Name(name))
			if fd == nil {
				return nil, fmt.Errorf("%s %s: no field %s", rule.Method, rule.Template, s.Field)
			}
			v.path = append(v.path, fd)
			md = fd.Message()
		}
		r.variables = append(r.variables, v)
	}
	if rule.Body != "" && rule.Body != "*" {
		if r.body = fieldOf(op.Input, protoreflect.Name(rule.Body)); r.body == nil {
			return nil, fmt.Errorf("%s %s: no field %s", rule.Method, rule.Template, rule.Body)
		}
		if rule.Method == "PATCH" && r.body.Message() != nil && !r.body.IsList() && !r.body.IsMap() {
			r.mask = onlyMask(op.Input)
		}
	}
	if rule.ResponseBody != "" {
		if r.reply = fieldOf(op.Output, protoreflect.Name(rule.ResponseBody)); r.reply == nil {
			return nil, fmt.Errorf("%s %s: no field %s", rule.Method, rule.Template, rule.ResponseBody)
		}
	}
	return r, nil
}

func fieldOf(md protoreflect.MessageDescriptor, name protoreflect.Name) protoreflect.FieldDescriptor {
	if md == nil {
		return nil
	}
	return md.Fields().ByName(name)
}

// onlyMask gives the request's FieldMask, when it has exactly one.
func onlyMask(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	var found protoreflect.FieldDescriptor
	fields := md.Fields()
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

// value gives what a path has for the variable.
func (v *variable) value(segments []segment) string {
	end := v.end
	if end < 0 {
		end = len(segments)
	}
	if v.start >= end {
		return ""
	}
	return capture(segments[v.start:end], v.single)
}
