package versions

import (
	"cmp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/internal/fault"
)

// filler fills a field of a group by an expression over the source.
type filler struct {
	expression *expression.Expression
	target     protoreflect.FieldDescriptor
	group      int
	// reads are the paths of the source that the expression reads; paths are the same as texts.
	reads [][]protoreflect.FieldDescriptor
	paths []string
	// subs make the field's message of messages of the source, by their names.
	subs map[protoreflect.FullName]*plan
}

// expression lets a field of the target be what an expression gives.
func (f *filling) expression(fd protoreflect.FieldDescriptor, rule *boundField, into int) {
	compiled, issues, err := f.compiler.CompileAny(f.plan.source, rule.Source.Name)
	fix := "write a path or a CEL expression over the fields of " + string(f.plan.source.FullName())
	switch {
	case issues != nil:
		first := slices.MinFunc(issues.Errors(), func(a, b *cel.Error) int { return cmp.Compare(a.Location.Column(), b.Location.Column()) })
		at := rule.Source.At
		if rule.Exact && first.Location.Line() == 1 {
			at.Col += len(string([]rune(rule.Source.Name)[:min(first.Location.Column(), len([]rune(rule.Source.Name)))]))
		}
		f.faults.Add(at, fix, "%s: %s", dotted(rule.target), first.Message)
		f.used = append(f.used, "") // what it reads can't be told
		return
	case err != nil:
		f.faults.Add(rule.Source.At, fix, "%s: %v", dotted(rule.target), err)
		f.used = append(f.used, "")
		return
	}
	fill := &filler{expression: compiled, target: fd, group: into, reads: compiled.Reads(), subs: map[protoreflect.FullName]*plan{}}
	l := link{target: names(rule.target), fixed: slices.ContainsFunc(rule.target, fixed), expression: true, list: fd.IsList() || fd.IsMap()}
	for _, read := range fill.reads {
		f.used = append(f.used, dotted(read))
		fill.paths = append(fill.paths, dotted(read))
		l.reads = append(l.reads, names(read))
		f.need(read)
	}
	if needed := f.fits(fill, compiled.Type()); needed != "" {
		f.faults.Add(rule.Source.At, "convert it, or write a bare path for what has only another name", "%s gives a %s where %s is needed", dotted(rule.target), compiled.Type(), needed)
	}
	f.checkNames(fill, rule.Source.At)
	f.member(into, rule.target, nil)
	f.plan.fillers = append(f.plan.fillers, fill)
	f.plan.links = append(f.plan.links, l)
}

// need marks the field that an expression reads, or all of them for the whole.
func (f *filling) need(read []protoreflect.FieldDescriptor) {
	if len(read) > 0 {
		f.step(f.plan.root, read[0]).needed = true
		return
	}
	fields := f.plan.source.Fields()
	for i := range fields.Len() {
		f.step(f.plan.root, fields.Get(i)).needed = true
	}
}

// checkNames looks at literal names of enum values.
func (f *filling) checkNames(fill *filler, at fault.Pos) {
	enum := fill.target.Enum()
	if enum == nil || fill.target.IsMap() {
		return
	}
	for _, text := range fill.expression.Texts() {
		if valueNamed(enum, text) == nil {
			f.faults.Add(at, suggest(text, valueNames(enum)), "%s has no value %q", enum.FullName(), text)
		}
	}
}

// fits says what an expression of a type should give for its field, or "" when it does.
func (f *filling) fits(fill *filler, t *cel.Type) (needed string) {
	if t.Kind() == types.OpaqueKind && t.TypeName() == "optional_type" && len(t.Parameters()) == 1 {
		t = t.Parameters()[0]
	}
	if t.IsDyn() || t.Kind() == types.TypeParamKind {
		return ""
	}
	fd := fill.target
	switch {
	case fd.IsMap():
		if t.Kind() != types.MapKind {
			return "a map"
		}
		if needed = f.fitsOne(fill, fd.MapKey(), t.Parameters()[0]); needed != "" {
			return "a map by " + needed
		}
		if needed = f.fitsOne(fill, fd.MapValue(), t.Parameters()[1]); needed != "" {
			return "a map to " + needed
		}
		return ""
	case fd.IsList():
		if t.Kind() != types.ListKind {
			return "a list"
		}
		if needed = f.fitsOne(fill, fd, t.Parameters()[0]); needed != "" {
			return "a list of " + needed
		}
		return ""
	default:
		return f.fitsOne(fill, fd, t)
	}
}

// fitsOne is fits for a single value.
func (f *filling) fitsOne(fill *filler, fd protoreflect.FieldDescriptor, t *cel.Type) (needed string) {
	if t.IsDyn() || t.Kind() == types.TypeParamKind {
		return ""
	}
	if fd.Message() != nil {
		return f.fitsMessage(fill, fd.Message(), t)
	}
	return fitsScalar(fd.Kind(), t.Kind())
}

// fitsScalar is fits for a scalar kind.
func fitsScalar(kind protoreflect.Kind, t types.Kind) (needed string) {
	switch kind {
	case protoreflect.EnumKind:
		return unless(t == types.StringKind, "the name of a value, a string,")
	case protoreflect.StringKind:
		return unless(t == types.StringKind, "a string")
	case protoreflect.BytesKind:
		return unless(t == types.BytesKind, "bytes")
	case protoreflect.BoolKind:
		return unless(t == types.BoolKind, "a bool")
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return unless(t == types.DoubleKind, "a double")
	default:
		return unless(t == types.IntKind || t == types.UintKind, "an int or uint")
	}
}

func unless(fits bool, needed string) string {
	if fits {
		return ""
	}
	return needed
}

// fitsMessage is fits for a message, which messages of the source that it can be made of fit, too.
func (f *filling) fitsMessage(fill *filler, md protoreflect.MessageDescriptor, t *cel.Type) (needed string) {
	needed = "a " + string(md.FullName())
	if t.Kind() == types.NullTypeKind {
		return ""
	}
	switch name := md.FullName(); {
	case name == "google.protobuf.Timestamp":
		return unless(t.Kind() == types.TimestampKind, needed)
	case name == "google.protobuf.Duration":
		return unless(t.Kind() == types.DurationKind, needed)
	case wrapped(md) != nil:
		return fitsScalar(wrapped(md).Kind(), t.Kind())
	case name == "google.protobuf.Any", name == "google.protobuf.Struct", name == "google.protobuf.Value", name == "google.protobuf.ListValue":
		return needed + ", which can only be copied,"
	}
	if t.Kind() != types.StructKind {
		return needed
	}
	if t.TypeName() == string(md.FullName()) {
		return ""
	}
	source := f.contract.Message(protoreflect.FullName(t.TypeName()))
	if source == nil || source.ParentFile().Package() == "google.protobuf" || strings.HasPrefix(string(md.FullName()), "google.") {
		return needed
	}
	fill.subs[source.FullName()] = f.planOf(md, source, f.use)
	return ""
}

// wrapped gives the field of a wrapper message; nil when it is none.
func wrapped(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	if md.ParentFile().Path() != "google/protobuf/wrappers.proto" {
		return nil
	}
	return md.Fields().ByNumber(1)
}
