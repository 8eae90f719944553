package contract_test

import (
	"strings"
	"testing"

	"banyan.dev/banyan/contract"
)

// file puts a body under the usual head; the body starts on line 3.
func file(body string) string {
	return "syntax = \"proto3\"; package a.v1;\nimport \"google/api/annotations.proto\";\n" + body
}

// rpc is a service with one RPC whose rule is given; the rule starts on line 4.
func rpc(rule string) string {
	return file(`service S { rpc Do(M) returns (M) { option (google.api.http) = {
` + rule + ` }; } }
message M { string id = 1; repeated string tags = 2; N n = 3; string other = 4; }
message N { string id = 1; }`)
}

func TestFaults(t *testing.T) {
	tests := map[string]struct {
		roots []contract.Root
		want  []string // the beginning of each fault
	}{
		"bad template":                {[]contract.Root{root("a.proto", rpc(`get: "/v1/{id"`))}, []string{`contract/a.proto:4:1: bad path template "/v1/{id": a { is not closed (`}},
		"no slash":                    {[]contract.Root{root("a.proto", rpc(`get: "v1"`))}, []string{`contract/a.proto:4:1: bad path template "v1": it must start with / (`}},
		"deep wildcard in the middle": {[]contract.Root{root("a.proto", rpc(`get: "/v1/{id=**}/x"`))}, []string{`contract/a.proto:4:1: bad path template`}},
		"unknown path field":          {[]contract.Root{root("a.proto", rpc(`get: "/v1/{nope}"`))}, []string{`contract/a.proto:4:1: path parameter {nope}: a.v1.M has no field "nope" (use one of: id, tags, n, other)`}},
		"unknown nested path field":   {[]contract.Root{root("a.proto", rpc(`get: "/v1/{n.nope}"`))}, []string{`contract/a.proto:4:1: path parameter {n.nope}: a.v1.N has no field "nope" (use one of: id)`}},
		"path through a scalar":       {[]contract.Root{root("a.proto", rpc(`get: "/v1/{id.x}"`))}, []string{`contract/a.proto:4:1: path parameter {id.x}: id is no message (bind {id})`}},
		"repeated path field":         {[]contract.Root{root("a.proto", rpc(`get: "/v1/{tags}"`))}, []string{`contract/a.proto:4:1: path parameter {tags}: tags is repeated (`}},
		"message as path field":       {[]contract.Root{root("a.proto", rpc(`get: "/v1/{n}"`))}, []string{`contract/a.proto:4:1: path parameter {n}: n is a message (`}},
		"bound twice":                 {[]contract.Root{root("a.proto", rpc(`get: "/v1/{id}/{id}"`))}, []string{`contract/a.proto:4:1: "/v1/{id}/{id}" binds id twice (`}},
		"unknown body":                {[]contract.Root{root("a.proto", rpc(`post: "/v1" body: "nope"`))}, []string{`contract/a.proto:4:13: body: a.v1.M has no field "nope" (`}},
		"body of a GET":               {[]contract.Root{root("a.proto", rpc(`get: "/v1" body: "*"`))}, []string{`contract/a.proto:4:12: a GET has no body (`}},
		"body bound by the path":      {[]contract.Root{root("a.proto", rpc(`put: "/v1/{id}" body: "id"`))}, []string{`contract/a.proto:4:17: body: the path binds id already (`}},
		"unknown response body":       {[]contract.Root{root("a.proto", rpc(`get: "/v1" response_body: "x"`))}, []string{`contract/a.proto:4:12: response_body: a.v1.M has no field "x" (`}},
		"no pattern":                  {[]contract.Root{root("a.proto", rpc(`body: "*"`))}, []string{`contract/a.proto:3:37: the HTTP rule of a.v1.S.Do has no method and path (`}},
		"odd custom method":           {[]contract.Root{root("a.proto", rpc(`custom: { kind: "head" path: "/v1" }`))}, []string{`contract/a.proto:4:11: "head" is no HTTP method (`}},
		"additional in additional": {
			[]contract.Root{root("a.proto", rpc(`get: "/v1" additional_bindings { get: "/v2" additional_bindings { get: "/v3" } }`))},
			[]string{`contract/a.proto:4:12: an additional binding can't have additional bindings (`},
		},
		"a bad additional binding": {
			[]contract.Root{root("a.proto", rpc("get: \"/v1\"\nadditional_bindings { get: \"/v2/{x}\" }"))},
			[]string{`contract/a.proto:5:23: path parameter {x}: a.v1.M has no field "x" (`},
		},
		"same template in one RPC": {
			[]contract.Root{root("a.proto", rpc(`get: "/v1/{id}" additional_bindings { get: "/v1/{other}" }`))},
			[]string{`contract/a.proto:3:37: GET /v1/{other} is taken already, by a.v1.S.Do at contract/a.proto:3:13 (`},
		},
		"same template in two RPCs": {
			[]contract.Root{root("a.proto", file(`service S {
  rpc A(M) returns (M) { option (google.api.http) = { get: "/v1/{id=x/*}" }; }
  rpc B(M) returns (M) { option (google.api.http) = { get: "/v1/x/{other}" }; }
  rpc C(M) returns (M) { option (google.api.http) = { put: "/v1/x/{other}" }; }
}
message M { string id = 1; string other = 2; }`))},
			[]string{`contract/a.proto:5:26: GET /v1/x/{other} is taken already, by a.v1.S.A at contract/a.proto:4:3 (`},
		},
		"client streaming": {
			[]contract.Root{root("a.proto", "syntax = \"proto3\"; package a.v1;\nservice S {\n\trpc Up(stream M) returns (M);\n  rpc Both(stream M) returns (stream M);\n}\nmessage M {}")},
			[]string{`contract/a.proto:3:9: a.v1.S.Up takes a stream of requests`, `contract/a.proto:4:12: a.v1.S.Both takes a stream of requests`},
		},
		"a read without GET": {
			[]contract.Root{root("a.proto", file(`service S { rpc Do(M) returns (M) {
  option idempotency_level = NO_SIDE_EFFECTS;
  option (google.api.http) = { post: "/v1" body: "*" }; } }
message M {}`))},
			[]string{`contract/a.proto:5:3: warning: a.v1.S.Do has no side effects, but HTTP clients can't tell`},
		},
		"no services": {[]contract.Root{root("a.proto", `syntax = "proto3"; message M {}`)}, []string{`contract: the contract has no services: 1 .proto files found (`}},
		"no roots":    {nil, []string{`the contract has no roots (`}},
		"no directory": {
			[]contract.Root{contract.Dir("testdata/nowhere", "nowhere")},
			[]string{"nowhere: no such directory ("},
		},
		"same file in two roots": {
			[]contract.Root{{Name: "one", FS: root("a.proto", rpc(`get: "/a"`)).FS}, {Name: "two", FS: root("a.proto", rpc(`get: "/a"`)).FS}},
			[]string{`two/a.proto: a.proto is in two roots: also as one/a.proto (`},
		},
		"missing imports, all of them": {
			[]contract.Root{root("a.proto", "syntax = \"proto3\";\nimport \"x.proto\"; import \"order.proto\";\n", "shop/order.proto", "syntax = \"proto3\";\nimport \"y.proto\";", "ok.proto", file("message M { Nope n = 1; }\nservice S { }"))},
			[]string{
				`contract/a.proto:2:8: there is no file "x.proto" (put the file under one of the roots`,
				`contract/a.proto:2:26: there is no file "order.proto" (imports are relative to the roots in contract.paths; did you mean shop/order.proto?)`,
				`contract/ok.proto:3:13: `,
				`contract/shop/order.proto:2:8: there is no file "y.proto" (`,
			},
		},
		"import cycle": {
			[]contract.Root{root("a.proto", "syntax = \"proto3\";\nimport \"b.proto\";", "b.proto", "syntax = \"proto3\";\nimport \"a.proto\";")},
			[]string{`contract/b.proto:2:8: b.proto imports itself, by way of a.proto (`},
		},
		"half of google/api": {
			[]contract.Root{root("a.proto", file(""), "google/api/http.proto", `syntax = "proto3"; package google.api; message HttpRule {}`)},
			[]string{`contract/a.proto:2:8: google/api/annotations.proto is built in and imports google/api/http.proto, which the contract replaces (`},
		},
		"syntax errors in two files": {
			[]contract.Root{root("a.proto", "syntax = \"proto3\";\nmessage {}", "b.proto", "syntax = \"proto3\";\n\tfoo\n")},
			[]string{`contract/a.proto:2:9: syntax error`, `contract/b.proto:2:2: syntax error`},
		},
		"columns count bytes": {
			[]contract.Root{root("a.proto", "syntax = \"proto3\";\nmessage M {\t/* größer */\tNope x = 1; }")},
			[]string{`contract/a.proto:2:28: `},
		},
		"group and required": {
			[]contract.Root{root("a.proto", "syntax = \"proto2\"; package a.v1;\nservice S { rpc Do(M) returns (N); }\nmessage M {\n  optional group G = 1 { optional int32 x = 1; }\n}\nmessage N {\n  required int32 y = 1;\n}")},
			[]string{`contract/a.proto:4:3: field a.v1.M.g is a group`, `contract/a.proto:7:3: field a.v1.N.y is required`},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, faults := contract.Load(t.Context(), test.roots)
			var got []string
			for _, f := range faults.All() {
				got = append(got, f.String())
				if f.Fix == "" {
					t.Errorf("no fix: %s", f)
				}
			}
			ok := len(got) == len(test.want)
			for i := 0; ok && i < len(got); i++ {
				ok = strings.HasPrefix(got[i], test.want[i])
			}
			if !ok {
				t.Errorf("faults:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(test.want, "\n\t"))
			}
		})
	}
}
