package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/api/edge"
	"banyan.dev/banyan/contract"
)

const jsonType = "application/json"

// Options say what documents tell beside the contract. The zero value is ready.
type Options struct {
	// Unserved tells whether an operation is in the contract, but answered 501 here; nil means that none is.
	Unserved func(*contract.Operation) bool
	// Access says who may call.
	Access Access
	// Keys tells whether a write keeps an Idempotency-Key; nil means that none does. KeysKept is for how long.
	Keys     func(*contract.Operation) bool
	KeysKept time.Duration
	// Notice gives what the answers of a version say of its end; nil means nothing.
	Notice func(*contract.Version) edge.Notice
}

// Document gives the OpenAPI document of a version, as indented JSON. It is the same for the same contract.
func Document(v *contract.Version, opts Options) ([]byte, error) {
	b := builder{
		version: v, opts: opts,
		schemas: &schemas{made: map[string]bool{}, replied: repliedBy(v)},
		routes:  map[string]*route{},
	}
	if opts.Notice != nil {
		b.end = opts.Notice(v)
		b.notice = b.end.Fields()
	}
	doc, err := b.document()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Package, err)
	}
	var flat, out bytes.Buffer
	if err := appendJSON(&flat, doc); err != nil {
		return nil, fmt.Errorf("%s: %w", v.Package, err)
	}
	if err := json.Indent(&out, flat.Bytes(), "", " "); err != nil {
		return nil, fmt.Errorf("%s: %w", v.Package, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// builder makes one document.
type builder struct {
	version *contract.Version
	opts    Options
	end     edge.Notice
	notice  []edge.Field // the end as headers
	schemas *schemas
	paths   members[*pathItem]
	routes  map[string]*route // by shape
	kept    bool              // an operation keeps keys
}

func (b *builder) document() (*document, error) {
	doc := &document{OpenAPI: specVersion, Info: b.info()}
	if b.opts.Access.on() {
		doc.Security = b.opts.Access.ways(false, nil)
	}
	for _, s := range b.version.Services {
		t := tag{Name: string(s.Descriptor.Name()), Description: comment(s.Descriptor)}
		used := false
		for _, op := range s.Operations {
			for i, rule := range op.Rules {
				if err := b.rule(op, rule, i); err != nil {
					return nil, fmt.Errorf("%s: %w", op.Name, err)
				}
				used = true
			}
		}
		if used {
			doc.Tags = append(doc.Tags, t)
		}
	}
	doc.Paths = b.paths
	doc.Components = b.components()
	return doc, nil
}

// info names the version; its text is the comments of its packages' statements and what holds for all operations.
func (b *builder) info() info {
	const packageStatement = 2 // field number in FileDescriptorProto
	var texts []string
	for _, s := range b.version.Services {
		at := s.Descriptor.ParentFile().SourceLocations().ByPath(protoreflect.SourcePath{packageStatement})
		if text := commentOf(at); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return info{
		Title: string(b.version.Package), Version: versionOf(b.version.Package),
		Description: paragraphs(append(texts, b.noticeText(), conventions)...),
	}
}

// conventions is what holds for every operation, for people.
const conventions = "Fields have their JSON names here; those of the `.proto` file are taken, too. " +
	"64-bit integers are text, so that no digit is lost; numbers are taken, too. " +
	"Unknown fields and parameters are refused. " +
	"`X-Request-Timeout` (`2.5s`) bounds a call, and `X-Request-Id` names it."

// versionOf gives the last part of a package's name that looks like a version, else the whole.
func versionOf(pkg protoreflect.FullName) string {
	if last := string(pkg.Name()); len(last) > 1 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9' {
		return last
	}
	return string(pkg)
}

// rule adds an operation for one of its rules.
func (b *builder) rule(op *contract.Operation, rule contract.Rule, index int) error {
	tmpl, err := contract.ParseTemplate(rule.Template)
	if err != nil {
		return fmt.Errorf("template %q: %w", rule.Template, err)
	}
	r := routeOf(tmpl)
	at := b.routes[r.shape]
	if at == nil {
		at = &route{item: &pathItem{}}
		for _, p := range r.places {
			at.names = append(at.names, p.name)
		}
		at.path = r.path(at.names)
		b.routes[r.shape] = at
		b.paths = append(b.paths, member[*pathItem]{at.path, at.item})
	}
	list, method := &at.item.operations, strings.ToLower(rule.Method)
	if !slices.Contains([]string{"get", "put", "post", "delete", "options", "head", "patch", "trace"}, method) {
		list, method = &at.item.additional, rule.Method
	}
	if first, taken := list.get(method); taken {
		// Only {x=**} beside {x}: to OpenAPI, both are one path.
		first.Description = paragraphs(first.Description,
			"`"+rule.Method+" "+rule.Template+"`, which OpenAPI can't tell from this, is "+string(op.Name)+".")
		return nil
	}
	*list = append(*list, member[*operation]{method, b.operation(op, rule, index, tmpl, r, at)})
	return nil
}

func (b *builder) operation(op *contract.Operation, rule contract.Rule, index int, tmpl contract.Template, r routed, at *route) *operation {
	service := string(op.Descriptor.Parent().Name())
	text := comment(op.Descriptor)
	out := &operation{
		Tags: []string{service}, Summary: summary(text), Description: text,
		OperationID: service + "_" + string(op.Descriptor.Name()),
		Deprecated:  obsolete(op) || len(b.notice) > 0,
	}
	if text == "" {
		out.Summary = string(op.Descriptor.Name())
	}
	if index > 0 {
		out.OperationID += "_" + strconv.Itoa(index+1)
	}
	if op.ServerStreaming {
		out.Description = paragraphs(out.Description, streamText)
	}
	if b.opts.Unserved != nil && b.opts.Unserved(op) {
		out.Description = paragraphs(out.Description, "It is not served here: it answers 501.")
	}
	if b.end.Refused {
		out.Description = paragraphs(out.Description, "From "+b.end.Sunset.UTC().Format(time.RFC3339)+" on it answers 410.")
	}
	out.Parameters = append(b.schemas.pathParameters(op, r, at.names), b.schemas.queryParameters(op, rule, tmpl.Fields())...)
	if b.keeps(op) {
		b.kept = true
		out.Parameters = append(out.Parameters, parameter{Ref: "#/components/parameters/" + keyHeader})
	}
	b.opts.Access.secure(op, out)
	out.RequestBody = b.requestBody(op, rule, index, tmpl.Fields())
	out.Responses = members[response]{
		{"200", b.success(op, rule)},
		{"default", response{Ref: "#/components/responses/" + errorName}},
	}
	return out
}

const streamText = "It answers a stream: JSON objects, one a line, as they are read. `{\"result\": …}` is one item; " +
	"`{\"error\": …}` as the last line says that the stream broke. The schema is that of a line; the whole is not one JSON value."

// success describes the reply.
func (b *builder) success(op *contract.Operation, rule contract.Rule) response {
	var s *schema
	switch fd := fieldAt(op.Output, rule.ResponseBody); {
	case fd != nil:
		s = b.schemas.field(fd, reply, nil)
	case wellKnown(op.Output) != nil:
		s = wellKnown(op.Output)
	default:
		s = b.schemas.message(op.Output, reply)
	}
	text := summary(comment(op.Output))
	if text == "" {
		text = "The reply."
	}
	media := mediaType{Schema: s}
	if op.ServerStreaming {
		line := &schema{AnyOf: []*schema{
			{Type: typeObject, Properties: members[*schema]{{"result", s}}, Required: []string{"result"}},
			{Ref: schemaPrefix + b.errorSchema()},
		}}
		media = mediaType{Schema: line, ItemSchema: line}
	}
	headers := b.answerHeaders()
	if b.keeps(op) {
		headers = append(headers, headerRef(replayedHeader))
	}
	return response{Description: text, Headers: headers, Content: members[mediaType]{{jsonType, media}}}
}

// requestBody describes the body; nil where none is taken, or nothing can be in it.
func (b *builder) requestBody(op *contract.Operation, rule contract.Rule, index int, bound []string) *requestBody {
	if rule.Body == "" {
		return nil
	}
	as, required := input, false
	if partial(op, rule) {
		as = patch
	}
	md := op.Input
	var fd protoreflect.FieldDescriptor
	if rule.Body != "*" {
		fd = fieldAt(op.Input, rule.Body)
		if fd.Message() == nil || fd.IsList() || fd.IsMap() || wellKnown(fd.Message()) != nil {
			s := b.schemas.field(fd, input, nil)
			return &requestBody{Required: behaviors(fd).required, Content: members[mediaType]{{jsonType, mediaType{Schema: s}}}}
		}
		md, bound, required = fd.Message(), below(bound, rule.Body), behaviors(fd).required
	}
	// What the path has is left out of the body.
	whole := b.schemas.object(md, as, bound)
	if len(whole.Properties) == 0 && md.ExtensionRanges().Len() == 0 {
		return nil
	}
	s := whole
	if len(bound) == 0 {
		s = b.schemas.message(md, as)
	} else {
		name := string(op.Name) + "-Body"
		if index > 0 {
			name += "-" + strconv.Itoa(index+1)
		}
		b.schemas.put(name, s)
		s = &schema{Ref: schemaPrefix + name}
	}
	out := &requestBody{Required: required || len(whole.Required) > 0, Content: members[mediaType]{{jsonType, mediaType{Schema: s}}}}
	if fd != nil {
		out.Description = fieldText(fd)
	}
	return out
}

// repliedBy gives the messages that the version's replies over HTTP hold.
func repliedBy(v *contract.Version) map[protoreflect.FullName]bool {
	out := map[protoreflect.FullName]bool{}
	var walk func(md protoreflect.MessageDescriptor)
	walk = func(md protoreflect.MessageDescriptor) {
		if out[md.FullName()] || wellKnown(md) != nil {
			return
		}
		if !md.IsMapEntry() {
			out[md.FullName()] = true
		}
		fields := md.Fields()
		for i := range fields.Len() {
			if m := fields.Get(i).Message(); m != nil {
				walk(m)
			}
		}
	}
	for _, s := range v.Services {
		for _, op := range s.Operations {
			if len(op.Rules) > 0 {
				walk(op.Output)
			}
		}
	}
	return out
}
