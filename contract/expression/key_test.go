package expression_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/apipb"
	"google.golang.org/protobuf/types/known/sourcecontextpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"banyan.dev/banyan/contract/expression"
)

func TestKeys(t *testing.T) {
	files := []protoreflect.FileDescriptor{apipb.File_google_protobuf_api_proto, descriptorpb.File_google_protobuf_descriptor_proto, wrapperspb.File_google_protobuf_wrappers_proto}
	c, err := expression.NewCompiler(files)
	if err != nil {
		t.Fatal(err)
	}
	api := &apipb.Api{Name: "n", SourceContext: &sourcecontextpb.SourceContext{FileName: "f"}}
	number := &descriptorpb.UninterpretedOption{PositiveIntValue: proto.Uint64(1<<64 - 1), NegativeIntValue: proto.Int64(-7)}
	for _, test := range []struct {
		src  string
		of   proto.Message
		want string // "-": no key; "!…": part of what is wrong
	}{
		{"name", api, "n"},
		{"request.name", api, "n"},
		{"source_context.file_name + '/' + name", api, "f/n"},
		{"source_context.file_name", &apipb.Api{}, "-"},
		{"name", &apipb.Api{}, "-"},
		{"positive_int_value", number, "18446744073709551615"},
		{"negative_int_value", number, "-7"},
		{"positive_int_value", &descriptorpb.UninterpretedOption{}, "-"},
		{"int(name)", &apipb.Api{Name: "07"}, "7"},
		{"int(name)", &apipb.Api{Name: "x"}, "!type conversion"},
		{"name == ''", api, "!gives a bool where a text or a whole number"},
		{"source_context", api, "!where a text or a whole number"},
		{"nam", api, "!undeclared reference"},
	} {
		key, issues, err := c.CompileKey(test.of.ProtoReflect().Descriptor(), test.src)
		var got string
		switch {
		case issues != nil:
			got = "!" + issues.String()
		case err != nil:
			got = "!" + err.Error()
		default:
			k, ok, err := key.Of(test.of.ProtoReflect())
			if got = k; err != nil {
				got = "!" + err.Error()
			} else if !ok {
				got = "-"
			}
		}
		if got != test.want && (test.want[0] != '!' || !strings.HasPrefix(got, "!") || !strings.Contains(got, test.want[1:])) {
			t.Errorf("%s: got %q, want %q", test.src, got, test.want)
		}
	}
}
