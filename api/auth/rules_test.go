package auth_test

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/auth"
	"banyan.dev/banyan/api/auth/authtest"
	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/strangler"
)

func TestRules(t *testing.T) {
	key := authtest.NewKey(t, "1", "ES256")
	opts := auth.Options{Tokens: tokensOf(t, key), Rules: map[*contract.Operation][]*auth.Rule{}}
	b := start(t, opts, nil, nil)
	var op *contract.Operation
	for _, o := range b.contract.Operations() {
		if o.Descriptor.Name() == "Fail" {
			op = o
		}
	}
	compiler, err := expression.NewCompiler([]protoreflect.FileDescriptor{op.Descriptor.ParentFile()})
	if err != nil {
		t.Fatal(err)
	}
	when := func(src string) *expression.Condition {
		c, issues, err := compiler.CompileCondition(op.Input, src)
		if c == nil {
			t.Fatalf("%s: %v %v", src, issues, err)
		}
		return c
	}
	for name, test := range map[string]struct {
		rules  []*auth.Rule
		claims map[string]any
		scope  string // of the challenge; "-": none. Empty: he may.
	}{
		"none":                  {nil, nil, ""},
		"scope":                 {[]*auth.Rule{{Name: "a", Scopes: []string{"orders.write"}}}, map[string]any{"scope": "orders.read orders.write"}, ""},
		"scope in a list":       {[]*auth.Rule{{Name: "a", Scopes: []string{"orders.write"}}}, map[string]any{"scp": []string{"orders.write"}}, ""},
		"no scope":              {[]*auth.Rule{{Name: "a", Scopes: []string{"orders.write"}}}, nil, "orders.write"},
		"part of a scope":       {[]*auth.Rule{{Name: "a", Scopes: []string{"orders.write"}}}, map[string]any{"scope": "orders.writer orders"}, "orders.write"},
		"one of two scopes":     {[]*auth.Rule{{Name: "a", Scopes: []string{"a", "b"}}}, map[string]any{"scope": "b"}, "a b"},
		"condition":             {[]*auth.Rule{{Name: "a", When: when(`claims.org.id == "o1" && request.code == 0`)}}, map[string]any{"org": map[string]any{"id": "o1"}}, ""},
		"false condition":       {[]*auth.Rule{{Name: "a", When: when(`claims.org.id == "o1"`)}}, map[string]any{"org": map[string]any{"id": "o2"}}, "-"},
		"no claim":              {[]*auth.Rule{{Name: "a", When: when(`claims.org.id == "o1"`)}}, nil, "-"},
		"no truth":              {[]*auth.Rule{{Name: "a", When: when(`claims.sub`)}}, nil, "-"},
		"one of two rules":      {[]*auth.Rule{{Name: "a", When: when(`true`)}, {Name: "b", When: when(`claims.sub == "boss"`)}}, nil, "-"},
		"scope and a condition": {[]*auth.Rule{{Name: "a", Scopes: []string{"x"}, When: when(`client == "till"`)}}, map[string]any{"scope": "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			opts.Rules[op] = test.rules // the map is read only while it is asked
			token := "Bearer " + key.Token(t, authtest.Claims(test.claims))
			if test.scope == "" {
				b.both(t, codes.OK, "", token)
				return
			}
			a := b.both(t, codes.PermissionDenied, "NOT_ALLOWED", token)
			if a.http != http.StatusForbidden || test.scope != "-" && !strings.HasSuffix(a.challenge, `error="insufficient_scope", scope="`+test.scope+`"`) || test.scope == "-" && a.challenge != "" {
				t.Errorf("REST answers %d, %s", a.http, a.challenge)
			}
			if strings.Contains(a.text, "o2") || strings.Contains(b.log.String(), "o2") {
				t.Errorf("a claim is told: %s", a.text)
			}
		})
	}
}

// The log says whether a condition is false or has no answer, and nothing of what a caller's token says.
func TestTheLogSaysWhyAConditionDoesNotHold(t *testing.T) {
	c := edgetest.Contract(t)
	op := c.Operations()[0]
	compiler, err := expression.NewCompiler([]protoreflect.FileDescriptor{op.Descriptor.ParentFile()})
	if err != nil {
		t.Fatal(err)
	}
	condition, issues, err := compiler.CompileCondition(op.Input, `claims.tenant == "mine"`)
	if condition == nil {
		t.Fatal(issues, err)
	}
	rules := auth.Rules{op: {{Name: "a", When: condition}}}
	for want, claims := range map[string]map[string]any{
		"the condition is false": {"tenant": "secret"}, "the condition has no answer": {"other": "secret"},
	} {
		err := strangler.AsError(rules.Check(&strangler.Call{Operation: op, Request: contract.FromMessage(dynamicpb.NewMessage(op.Input)), Claims: claims}))
		if err == nil || err.Cause == nil || !strings.Contains(err.Cause.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", claims, err)
		}
	}
}
