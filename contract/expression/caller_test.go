package expression_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/apipb"
	"google.golang.org/protobuf/types/known/typepb"

	"banyan.dev/banyan/contract/expression"
)

func caller() *expression.Caller {
	return &expression.Caller{
		Client: "till",
		Claims: map[string]any{
			"tenant": "t7", "number": int64(7), "large": uint64(1<<64 - 1), "scope": "orders.read orders.write",
			"org": map[string]any{"id": "o1"}, "roles": []any{"clerk", "boss"},
		},
		Header: func(name string) []string {
			return map[string][]string{"x-tenant": {"h1"}, "x-list": {"a", "b"}, "authorization": {"Bearer secret"}}[name]
		},
	}
}

func compiler(t *testing.T) *expression.Compiler {
	t.Helper()
	c, err := expression.NewCompiler([]protoreflect.FileDescriptor{apipb.File_google_protobuf_api_proto})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeysOfCallers(t *testing.T) {
	c := compiler(t)
	api := &apipb.Api{Name: "n", Options: []*typepb.Option{{Name: "x-tenant"}}}
	for src, want := range map[string]string{ // "-": no key; "!…": part of what is wrong
		`claims.tenant`:                       "t7",
		`claims["tenant"] + "/" + name`:       "t7/n",
		`claims.number`:                       "7",
		`claims.large`:                        "18446744073709551615",
		`claims.org.id`:                       "o1",
		`claims.nobody`:                       "-",
		`claims.org.nobody`:                   "-",
		`claims[?"nobody"].orValue("x")`:      "x",
		`headers["x-tenant"]`:                 "h1",
		`headers["X-Tenant"]`:                 "h1",
		`headers["x-list"]`:                   "a, b",
		`headers["x-nobody"]`:                 "-",
		`headers[?"x-nobody"].orValue(name)`:  "n",
		`"x-tenant" in headers ? "in" : "no"`: "in",
		`headers.host`:                        "-",
		`has(headers.host) ? "has" : "not"`:   "not",
		`claims.roles`:                        "!gave a",
		`client`:                              "!undeclared reference",
		`headers["authorization"]`:            "!is a secret",
		`headers["Cookie"]`:                   "!is a secret",
		`headers[name]`:                       "!one by its name",
		`headers.map(h, h)[0]`:                "!one by its name",
		`size(headers)`:                       "!one by its name",
		`headers == {} ? "a" : "b"`:           "!one by its name",
		`options.map(o, headers[o.name])[0]`:  "!one by its name",
	} {
		key, issues, err := c.CompileRequestKey(api.ProtoReflect().Descriptor(), src)
		var got string
		switch {
		case issues != nil:
			got = "!" + issues.String()
		case err != nil:
			got = "!" + err.Error()
		default:
			k, ok, err := key.OfCall(api.ProtoReflect(), caller())
			if got = k; err != nil {
				got = "!" + err.Error()
			} else if !ok {
				got = "-"
			}
		}
		if got != want && (want[0] != '!' || !strings.HasPrefix(got, "!") || !strings.Contains(got, want[1:])) {
			t.Errorf("%s: got %q, want %q", src, got, want)
		}
	}
	// Nobody is known: there is nothing to be found.
	key, _, err := c.CompileRequestKey(api.ProtoReflect().Descriptor(), `claims.tenant + headers["x-tenant"]`)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok, err := key.OfCall(api.ProtoReflect(), &expression.Caller{}); k != "" || ok || err != nil {
		t.Errorf("nobody's key: %q, %v, %v", k, ok, err)
	}
	// An entity has no caller.
	if _, issues, _ := c.CompileKey(api.ProtoReflect().Descriptor(), "claims.tenant"); issues == nil {
		t.Error("an entity's key may ask for claims")
	}
}

func TestConditions(t *testing.T) {
	c := compiler(t)
	api := &apipb.Api{Name: "n"}
	whole := func() (protoreflect.Message, error) { return api.ProtoReflect(), nil }
	for src, want := range map[string]string{
		`"orders.write" in claims.scope.split(" ")`:      "!undeclared reference",
		`claims.scope.matches("(^| )orders.write( |$)")`: "true",
		`"boss" in claims.roles`:                         "true",
		`"owner" in claims.roles`:                        "false",
		`request.name == "n" && claims.number == 7`:      "true",
		`client == "till"`:                               "true",
		`headers["x-tenant"] == "h1"`:                    "true",
		`has(claims.admin) && claims.admin`:              "false",
		`claims.admin`:                                   "!no such key",
		`claims.tenant`:                                  "!gave a string",
		`name == "n"`:                                    "!undeclared reference", // a field can't pass for a claim
		`claims.number`:                                  "!gave a int64",
		`client`:                                         "!gives a string",
		`headers.exists(h, h == "x")`:                    "!one by its name",
	} {
		cond, issues, err := c.CompileCondition(api.ProtoReflect().Descriptor(), src)
		var got string
		switch {
		case issues != nil:
			got = "!" + issues.String()
		case err != nil:
			got = "!" + err.Error()
		default:
			holds, err := cond.Holds(whole, caller())
			if got = map[bool]string{true: "true", false: "false"}[holds]; err != nil {
				got = "!" + err.Error()
			}
		}
		if got != want && (want[0] != '!' || !strings.HasPrefix(got, "!") || !strings.Contains(got, want[1:])) {
			t.Errorf("%s: got %q, want %q", src, got, want)
		}
	}
	broken := errors.New("broken")
	for src, want := range map[string]error{`request.name == "n"`: broken, `client == "till"`: nil} {
		cond, _, err := c.CompileCondition(api.ProtoReflect().Descriptor(), src)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cond.Holds(func() (protoreflect.Message, error) { return nil, broken }, caller()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", src, err, want)
		}
	}
}

// A field named as one of the variables hides it from keys, as it hides `request`, and never from conditions.
func TestFieldsNamedAsTheCaller(t *testing.T) {
	field := func(name string, number int32) *descriptorpb.FieldDescriptorProto {
		return &descriptorpb.FieldDescriptorProto{
			Name: &name, Number: &number, JsonName: &name,
			Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("a.proto"), Package: proto.String("a"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name:  proto.String("A"),
			Field: []*descriptorpb.FieldDescriptorProto{field("claims", 1), field("headers", 2), field("client", 3)},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	md := file.Messages().Get(0)
	c, err := expression.NewCompiler([]protoreflect.FileDescriptor{file})
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(md)
	for i, value := range []string{"boss", "h", "other"} {
		m.Set(md.Fields().Get(i), protoreflect.ValueOfString(value))
	}
	key, _, err := c.CompileRequestKey(md, "claims + headers")
	if err != nil {
		t.Fatal(err)
	}
	if k, _, err := key.OfCall(m, caller()); k != "bossh" || err != nil {
		t.Errorf("the key: %q, %v", k, err)
	}
	cond, issues, err := c.CompileCondition(md, `client == "till" && claims.tenant == "t7" && headers["x-tenant"] == "h1" && request.claims == "boss"`)
	if cond == nil {
		t.Fatal(issues, err)
	}
	if holds, err := cond.Holds(func() (protoreflect.Message, error) { return m, nil }, caller()); !holds || err != nil {
		t.Errorf("the condition: %v, %v", holds, err)
	}
}
