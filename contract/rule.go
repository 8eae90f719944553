package contract

import (
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"banyan.dev/banyan/internal/fault"
)

// readRules reads an RPC's google.api.http option: the rule itself, then its additional bindings. Rules with faults are
// left out.
func readRules(files sources, op *Operation, faults *fault.List) []Rule {
	main := httpRule(op.Descriptor)
	if main == nil {
		return nil
	}
	var out []Rule
	read := func(rule *annotations.HttpRule, path ...int32) {
		r := ruleReader{files: files, op: op, faults: faults, path: append([]int32{methodOptions, httpOption}, path...)}
		if parsed, ok := r.read(rule); ok {
			out = append(out, parsed)
		}
	}
	read(main)
	for i, extra := range main.GetAdditionalBindings() {
		if len(extra.GetAdditionalBindings()) > 0 {
			faults.Add(files.pos(op.Descriptor, methodOptions, httpOption, ruleAdditional, int32(i)),
				"move them up, beside the binding they stand in", "an additional binding can't have additional bindings")
		}
		read(extra, ruleAdditional, int32(i))
	}
	return out
}

// httpRule gives the google.api.http option; nil when there is none. The option may be held as a generated extension, a
// dynamic one (when a root has its own google/api/annotations.proto) or as unknown bytes, and its wire form is the same
// for all of them.
func httpRule(md protoreflect.MethodDescriptor) *annotations.HttpRule {
	options, ok := md.Options().(*descriptorpb.MethodOptions)
	if !ok || options == nil {
		return nil
	}
	wire, err := proto.Marshal(options)
	if err != nil || len(wire) == 0 {
		return nil
	}
	var own descriptorpb.MethodOptions
	if err := proto.Unmarshal(wire, &own); err != nil || !proto.HasExtension(&own, annotations.E_Http) {
		return nil
	}
	rule, _ := proto.GetExtension(&own, annotations.E_Http).(*annotations.HttpRule)
	return rule
}

// ruleReader reads and checks one binding. path is where it stands in the method's descriptor.
type ruleReader struct {
	files  sources
	op     *Operation
	faults *fault.List
	path   []int32
	failed bool
}

func (r *ruleReader) fail(part []int32, fix, format string, args ...any) {
	r.failed = true
	path := append(slices.Clone(r.path), part...)
	r.faults.Add(r.files.pos(r.op.Descriptor, path...), fix, format, args...)
}

func (r *ruleReader) read(rule *annotations.HttpRule) (Rule, bool) {
	out := Rule{Body: rule.GetBody(), ResponseBody: rule.GetResponseBody()}
	var at []int32
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		out.Method, out.Template, at = "GET", p.Get, []int32{2}
	case *annotations.HttpRule_Put:
		out.Method, out.Template, at = "PUT", p.Put, []int32{3}
	case *annotations.HttpRule_Post:
		out.Method, out.Template, at = "POST", p.Post, []int32{4}
	case *annotations.HttpRule_Delete:
		out.Method, out.Template, at = "DELETE", p.Delete, []int32{5}
	case *annotations.HttpRule_Patch:
		out.Method, out.Template, at = "PATCH", p.Patch, []int32{6}
	case *annotations.HttpRule_Custom:
		out.Method, out.Template, at = p.Custom.GetKind(), p.Custom.GetPath(), []int32{ruleCustom, customPatternPath}
		if !isVerb(out.Method) {
			r.fail([]int32{ruleCustom, customPatternVerbs}, "write the HTTP method in capitals, such as HEAD",
				"%q is no HTTP method", out.Method)
		}
	default:
		r.fail(nil, `add one, such as get: "/v1/orders/{id}"`, "the HTTP rule of %s has no method and path", r.op.Name)
		return out, false
	}
	bound := r.template(at, out.Template)
	r.body(out, bound)
	r.responseBody(out)
	return out, !r.failed
}

// template checks the path and gives the field paths that it binds.
func (r *ruleReader) template(at []int32, text string) []string {
	t, err := ParseTemplate(text)
	if err != nil {
		r.fail(at, `write it as google/api/http.proto says: /v1/orders/{id}, /v1/{name=shops/*/orders/*}:cancel`,
			"bad path template %q: %v", text, err)
		return nil
	}
	bound := t.Fields()
	for i, path := range bound {
		if slices.Contains(bound[:i], path) {
			r.fail(at, "bind each field once", "%q binds %s twice", text, path)
			continue
		}
		r.pathField(at, path)
	}
	return bound
}

// pathField checks that a path parameter is a scalar field of the request, alone or in nested messages.
func (r *ruleReader) pathField(at []int32, path string) {
	md := r.op.Input
	names := strings.Split(path, ".")
	for i, name := range names {
		fd := md.Fields().ByName(protoreflect.Name(name))
		switch {
		case fd == nil:
			r.fail(at, "use one of: "+fieldNames(md), "path parameter {%s}: %s has no field %q", path, md.FullName(), name)
			return
		case fd.IsList() || fd.IsMap():
			r.fail(at, "take it as a query parameter or in the body", "path parameter {%s}: %s is repeated", path, fd.Name())
			return
		case i == len(names)-1:
			if fd.Message() != nil {
				r.fail(at, "bind a field inside of it, such as {"+path+".id}",
					"path parameter {%s}: %s is a message", path, fd.Name())
			}
			return
		case fd.Message() == nil:
			r.fail(at, "bind {"+strings.Join(names[:i+1], ".")+"}", "path parameter {%s}: %s is no message", path, fd.Name())
			return
		}
		md = fd.Message()
	}
}

func (r *ruleReader) body(rule Rule, bound []string) {
	at := []int32{ruleBody}
	switch {
	case rule.Body == "":
		return
	case rule.Method == "GET":
		r.fail(at, "remove body; fields that are not in the path become query parameters", "a GET has no body")
		return
	case rule.Body == "*":
		return
	case r.op.Input.Fields().ByName(protoreflect.Name(rule.Body)) == nil:
		r.fail(at, `use "*" or one of: `+fieldNames(r.op.Input), "body: %s has no field %q", r.op.Input.FullName(), rule.Body)
	case slices.Contains(bound, rule.Body):
		r.fail(at, "take it from one of the two", "body: the path binds %s already", rule.Body)
	}
}

func (r *ruleReader) responseBody(rule Rule) {
	if rule.ResponseBody != "" && r.op.Output.Fields().ByName(protoreflect.Name(rule.ResponseBody)) == nil {
		r.fail([]int32{ruleResponseBody}, "remove it, or use one of: "+fieldNames(r.op.Output),
			"response_body: %s has no field %q", r.op.Output.FullName(), rule.ResponseBody)
	}
}

// fieldNames lists a message's fields for a person.
func fieldNames(md protoreflect.MessageDescriptor) string {
	fields := md.Fields()
	if fields.Len() == 0 {
		return "(it has no fields)"
	}
	names := make([]string, fields.Len())
	for i := range names {
		names[i] = string(fields.Get(i).Name())
	}
	return strings.Join(names, ", ")
}

// isVerb tells whether s can stand as a method in a request line and is written as methods are.
func isVerb(s string) bool {
	if s == "" {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return true
}
