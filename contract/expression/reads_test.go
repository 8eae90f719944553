package expression_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/apipb"

	"banyan.dev/banyan/contract/expression"
)

func TestReads(t *testing.T) {
	c, err := expression.NewCompiler([]protoreflect.FileDescriptor{apipb.File_google_protobuf_api_proto}, expression.Whole("source"), expression.TextFunctions())
	if err != nil {
		t.Fatal(err)
	}
	md := (&apipb.Api{}).ProtoReflect().Descriptor()
	for _, test := range []struct{ src, kind, reads, texts string }{
		{"name", "string", "name", ""},
		{"name + version + name", "string", "name version", ""},
		{"source.name", "string", "name", ""},
		{"source_context.file_name", "string", "source_context.file_name", ""},
		{"has(source.source_context) ? 'a' : version == '' ? 'b' : name", "string", "source_context version name", "a b"},
		{"source", "google.protobuf.Api", "-", ""},
		{"methods.map(m, m.name).join(name)", "string", "methods name", ""},
		{"methods.map(m, m.name + version)", "list(string)", "methods version", ""},
		{"methods.exists(m, m.name == name) ? version : name", "string", "methods name version", ""},
		{"methods[0].name", "string", "methods", ""},
		{"[version, 'x']", "list(string)", "version", "x"},
		{"{name: version}", "map(string, string)", "name version", ""},
		{"google.protobuf.SourceContext{file_name: name}", "google.protobuf.SourceContext", "name", ""},
		{"name == 'a' ? optional.of('b') : optional.none()", "optional_type(string)", "name", "b"},
		{"name.split('-')[0]", "string", "name", ""},
		{"'fixed'", "string", "", "fixed"},
		{"syntax == Syntax.SYNTAX_PROTO3", "bool", "syntax", ""},
	} {
		e, issues, err := c.CompileAny(md, test.src)
		if err != nil || issues != nil {
			t.Errorf("%s: %v %v", test.src, err, issues)
			continue
		}
		var reads []string
		for _, path := range e.Reads() {
			var names []string
			for _, fd := range path {
				names = append(names, string(fd.Name()))
			}
			if len(names) == 0 {
				names = []string{"-"}
			}
			reads = append(reads, strings.Join(names, "."))
		}
		if got := e.Type().String(); got != test.kind {
			t.Errorf("%s is a %s, want %s", test.src, got, test.kind)
		}
		if got := strings.Join(reads, " "); got != test.reads {
			t.Errorf("%s reads %q, want %q", test.src, got, test.reads)
		}
		if got := e.Texts(); !slices.Equal(got, strings.Fields(test.texts)) {
			t.Errorf("%s may give %q, want %q", test.src, got, test.texts)
		}
	}
}
