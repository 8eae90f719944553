package breaking_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/breaking"
)

// change is one case: what stands in a file before and after, and the rules that are broken, with their lines.
type change struct {
	name, before, after string
	want                []string
}

const method = "service S { rpc Get(A) returns (B); rpc Other(A) returns (B); } message A {} message B {}\n"

// lastOfItsKind is a case that buf overlooks: it looks at a package's enums only where the newer contract has some.
const lastOfItsKind = "the last enum of a package is gone"

func changes() []change {
	return []change{
		{"nothing", "message A { int32 x = 1; }", "message A { int32 x = 1; }", nil},
		{
			"additions", "message A { int32 x = 1; } enum E { E_A = 0; }",
			"message A { int32 x = 1; string y = 2; oneof o { bool z = 3; } } enum E { E_A = 0; E_B = 1; } message N {} service Z {}", nil,
		},
		{"another order", "message A { int32 x = 1; int32 y = 2; }", "message A { int32 y = 2; int32 x = 1; }", nil},
		{"a message is gone", "message A {} message B {}", "message A {}", []string{"PACKAGE_MESSAGE_NO_DELETE"}},
		{"a nested message is gone", "message A { message N {} }", "message A {}", []string{"PACKAGE_MESSAGE_NO_DELETE"}},
		{"an enum is gone", "enum E { E_A = 0; } enum F { F_A = 0; }", "enum F { F_A = 0; }", []string{"PACKAGE_ENUM_NO_DELETE"}},
		{lastOfItsKind, "enum E { E_A = 0; } message A {}", "message A {}", []string{"PACKAGE_ENUM_NO_DELETE"}},
		{"a message is an enum", "message A {} message B {}", "enum A { A_X = 0; } message B {}", []string{"PACKAGE_MESSAGE_NO_DELETE"}},
		{"a service is gone", method + "service T {}", method, []string{"PACKAGE_SERVICE_NO_DELETE"}},
		{"an RPC is gone", method, strings.Replace(method, "rpc Other(A) returns (B);", "", 1), []string{"RPC_NO_DELETE 3"}},
		{"another request", method, strings.Replace(method, "Get(A)", "Get(\nB)", 1), []string{"RPC_SAME_REQUEST_TYPE 4"}},
		{"another reply", method, strings.Replace(method, "(B);", "(\nA);", 1), []string{"RPC_SAME_RESPONSE_TYPE 4"}},
		{"a stream", method, strings.Replace(method, "(B);", "(stream B);", 1), []string{"RPC_SAME_SERVER_STREAMING 3"}},
		{"another idempotency level", method, strings.Replace(method, "(B);", "(B) {\noption idempotency_level = IDEMPOTENT; }", 1), []string{"RPC_SAME_IDEMPOTENCY_LEVEL 4"}},
		{"a field is gone", "message A { int32 x = 1;\nint32 y = 2; }", "\nmessage A { int32 x = 1; }", []string{"FIELD_NO_DELETE 4"}},
		{"a field is gone and reserved", "message A { int32 x = 1; int32 y = 2; }", "message A { int32 x = 1; reserved 2; reserved \"y\"; }", []string{"FIELD_NO_DELETE 3"}},
		{"a field has another number", "message A { int32 x = 1; }", "message A { int32 x = 2; }", []string{"FIELD_NO_DELETE 3"}},
		{"a field has another name", "message A { int32 x = 1; }", "message A { int32\ny = 1; }", []string{"FIELD_SAME_JSON_NAME 3", "FIELD_SAME_NAME 4"}},
		{"another name, the same in JSON", "message A { int32 x = 1; }", "message A {\nint32 y = 1 [json_name = \"x\"]; }", []string{"FIELD_SAME_NAME 4"}},
		{"another name in JSON", "message A { int32 x = 1; }", "message A { int32 x = 1 [\njson_name = \"y\"]; }", []string{"FIELD_SAME_JSON_NAME 4"}},
		{"another type", "message A { int32 x = 1; }", "message A {\nint64 x = 1; }", []string{"FIELD_SAME_TYPE 4"}},
		{"compatible on the wire only", "message A { int32 x = 1; }", "message A { uint32 x = 1; }", []string{"FIELD_SAME_TYPE 3"}},
		{"another message", "message A { B x = 1; } message B {} message C {}", "message A {\nC x = 1; } message B {} message C {}", []string{"FIELD_SAME_TYPE 4"}},
		{"another enum", "message A { E x = 1; } enum E { E_A = 0; } enum F { F_A = 0; }", "message A { F x = 1; } enum E { E_A = 0; } enum F { F_A = 0; }", []string{"FIELD_SAME_TYPE 3"}},
		{"an enum instead of a number", "message A { int32 x = 1; } enum E { E_A = 0; }", "message A { E x = 1; } enum E { E_A = 0; }", []string{"FIELD_SAME_TYPE 3"}},
		{"a list", "message A { int32 x = 1; }", "message A { repeated int32 x = 1; }", []string{"FIELD_SAME_CARDINALITY 3"}},
		{"presence", "message A { int32 x = 1; }", "message A {\noptional int32 x = 1; }", []string{"FIELD_SAME_CARDINALITY 4"}},
		{"presence goes", "message A { optional int32 x = 1; }", "message A { int32 x = 1; }", []string{"FIELD_SAME_CARDINALITY 3"}},
		{"another value in a map", "message A { map<string, int32> x = 1; }", "message A {\nmap<string, int64> x = 1; }", []string{"FIELD_SAME_TYPE 4"}},
		{"another key in a map", "message A { map<string, int32> x = 1; }", "message A {\nmap<int32, int32> x = 1; }", []string{"FIELD_SAME_TYPE 4"}},
		{"into a oneof", "message A { optional int32 x = 1; }", "message A { oneof o { int32 x = 1; int32 y = 2; } }", []string{"FIELD_SAME_ONEOF 3"}},
		{"out of a oneof", "message A { oneof o { int32 x = 1; int32 y = 2; } }", "message A { oneof o { int32 x = 1; } optional int32 y = 2; }", []string{"FIELD_SAME_ONEOF 3"}},
		{"a oneof has another name", "message A { oneof o { int32 x = 1; } }", "message A { oneof p { int32 x = 1; } }", []string{"FIELD_SAME_ONEOF 3", "ONEOF_NO_DELETE 3"}},
		{"optional is no oneof", "message A { optional int32 x = 1; int32 y = 2; }", "message A { optional int32 x = 1; int32 y = 2; optional int32 z = 3; }", nil},
		{"a value is gone", "enum E { E_A = 0; E_B = 1; }", "enum E { E_A = 0; }", []string{"ENUM_VALUE_NO_DELETE 3"}},
		{"a value has another name", "enum E { E_A = 0; E_B = 1; }", "enum E { E_A = 0;\nE_C = 1; }", []string{"ENUM_VALUE_SAME_NAME 4"}},
		{"a value has one more name", "enum E { E_A = 0; E_B = 1; }", "enum E { option allow_alias = true; E_A = 0; E_C = 1; E_B = 1; }", nil},
		{"reserved numbers are free", "message A { reserved 1 to 5; }", "message A { reserved 1, 3 to 5; }", []string{"RESERVED_MESSAGE_NO_DELETE 3"}},
		{"reserved in other pieces", "message A { reserved 1 to 5; }", "message A { reserved 1 to 3, 4 to 9; }", nil},
		{"a reserved name is free", "message A { reserved \"x\", \"y\"; }", "message A { reserved \"x\"; }", []string{"RESERVED_MESSAGE_NO_DELETE 3"}},
		{"reserved values are free", "enum E { E_A = 0; reserved 2 to 4, 7; reserved \"X\"; }", "enum E { E_A = 0; reserved 2 to 4; }", []string{"RESERVED_ENUM_NO_DELETE 3", "RESERVED_ENUM_NO_DELETE 3"}},
		{"another package of stubs", "option go_package = \"a/b\"; message A {}", "option go_package = \"a/c\"; option java_multiple_files = true; message A {}", []string{"FILE_SAME_GO_PACKAGE 3", "FILE_SAME_JAVA_MULTIPLE_FILES 3"}},
	}
}

// source writes a file with the declarations on line 3.
func source(pkg, syntax, body string) string {
	return syntax + "\npackage " + pkg + ";\n" + body + "\n"
}

const proto3 = `syntax = "proto3";`

// files gives the files of all cases, each in a package of its own, and of those that need another head.
func files(t testing.TB) (before, after map[string]string, names map[string]string) {
	t.Helper()
	before, after, names = map[string]string{}, map[string]string{}, map[string]string{}
	for i, c := range changes() {
		pkg := fmt.Sprintf("c%02d", i)
		before[pkg+".proto"], after[pkg+".proto"] = source(pkg, proto3, c.before), source(pkg, proto3, c.after)
		names[pkg+".proto"] = c.name
	}
	pair := func(name, head, body, newHead, newBody string) {
		file := name + ".proto"
		before[file], after[file], names[file] = head+"\n"+body, newHead+"\n"+newBody, name
	}
	pair("syntax", `syntax = "proto2";`, "package syntax;\nenum E { E_A = 0; }", proto3, "package syntax;\nenum E { E_A = 0; }")
	pair("moved", proto3, "package moved.v1;\nmessage A {}", proto3, "package moved.v2;\nmessage A {}")
	pair("preset", `syntax = "proto2";`, "package preset;\nmessage A { optional int32 x = 1 [default = 1]; }", `syntax = "proto2";`, "package preset;\nmessage A { optional int32 x = 1 [default = 2]; }")
	before["gone.proto"], names["gone.proto"] = source("gone", proto3, "message A {}"), "gone"
	before["split.proto"] = source("split", proto3, "message A {}\nmessage B { int32 x = 1; }")
	after["split.proto"], after["split_b.proto"] = source("split", proto3, "message A {}"), source("split", proto3, "message B { int64 x = 1; }")
	names["split.proto"], names["split_b.proto"] = "split", "split"
	// Load wants a service.
	before["serve.proto"] = source("serve", proto3, "service Serve { rpc Get(A) returns (A); } message A {}")
	after["serve.proto"], names["serve.proto"] = before["serve.proto"], "serve"
	return before, after, names
}

func load(t testing.TB, name string, files map[string]string) *contract.Contract {
	t.Helper()
	tree := fstest.MapFS{}
	for path, text := range files {
		tree[path] = &fstest.MapFile{Data: []byte(text)}
	}
	c, faults := contract.Load(t.Context(), []contract.Root{{Name: name, FS: tree}})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChangesAreFound(t *testing.T) {
	before, after, _ := files(t)
	found := map[string][]string{}
	for _, c := range breaking.Compare(load(t, "old", before), load(t, "new", after)) {
		side, file, _ := strings.Cut(c.File, "/")
		text := c.Rule
		if side == "new" {
			text += fmt.Sprintf(" %d", c.Line)
		}
		found[file] = append(found[file], text)
	}
	for i, c := range changes() {
		t.Run(c.name, func(t *testing.T) {
			got := found[fmt.Sprintf("c%02d.proto", i)]
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for file, want := range map[string][]string{
		"syntax.proto": {"ENUM_SAME_TYPE 3", "FILE_SAME_SYNTAX 1"}, "moved.proto": {"FILE_SAME_PACKAGE 2", "PACKAGE_NO_DELETE"},
		"preset.proto": {"FIELD_SAME_DEFAULT 3"}, "gone.proto": {"PACKAGE_NO_DELETE"}, "split_b.proto": {"FIELD_SAME_TYPE 3"},
		"split.proto": nil, "serve.proto": nil,
	} {
		got := found[file]
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
	}
}

// buf itself finds the same in the same files.
func TestBufFindsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("buf takes a minute to build the first time")
	}
	before, after, names := files(t)
	dir := t.TempDir()
	for side, list := range map[string]map[string]string{"old": before, "new": after} {
		if err := os.Mkdir(filepath.Join(dir, side), 0o700); err != nil {
			t.Fatal(err)
		}
		for path, text := range list {
			if err := os.WriteFile(filepath.Join(dir, side, path), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "tool", "buf", "breaking", filepath.Join(dir, "new"), "--against", filepath.Join(dir, "old"),
		"--error-format", "json", "--config", `{"version":"v2","breaking":{"use":["PACKAGE"]}}`, "--against-config", `{"version":"v2"}`)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || len(out) == 0) {
		t.Fatalf("%v\n%s", err, errOut.String())
	}
	theirs := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		var found struct {
			Path string `json:"path"`
			Type string `json:"type"`
		}
		if err := json.Unmarshal([]byte(line), &found); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		theirs[place(filepath.Base(found.Path), found.Type, names)] = true
	}
	ours := map[string]bool{}
	for _, c := range breaking.Compare(load(t, "old", before), load(t, "new", after)) {
		if file := filepath.Base(c.File); names[file] != lastOfItsKind {
			ours[place(file, c.Rule, names)] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(theirs)), slices.Sorted(maps.Keys(ours))); diff != "" {
		t.Errorf("buf (-) and Banyan (+) find different changes:\n%s", diff)
	}
}

// place names what a tool found, for people. Where a package is gone, buf has no file.
func place(file, rule string, names map[string]string) string {
	if rule == "PACKAGE_NO_DELETE" {
		return rule
	}
	return fmt.Sprintf("%s: %s", names[file], rule)
}

func TestRoutesAreCompared(t *testing.T) {
	const head = `syntax = "proto3"; package a.v1; import "google/api/annotations.proto";
		message A { string id = 1; B b = 2; B c = 3; } message B { string id = 1; }
		service S { rpc Other(A) returns (A);` + "\n"
	rpc := func(name, rule string) string {
		return "rpc " + name + "(A) returns (A) {\noption (google.api.http) = { " + rule + " }; }\n"
	}
	for _, c := range []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", rpc("Get", `get: "/v1/a/{id}"`), rpc("Get", `get: "/v1/a/{id}"`), nil},
		{"one more", rpc("Get", `get: "/v1/a/{id}"`), rpc("Get", `get: "/v1/a/{id}" additional_bindings { get: "/v1/b/{id}" }`), nil},
		{"another order", rpc("Get", `get: "/v1/a/{id}" additional_bindings { get: "/v1/b/{id}" }`), rpc("Get", `get: "/v1/b/{id}" additional_bindings { get: "/v1/a/{id}" }`), nil},
		{"written another way", rpc("Get", `get: "/v1/a/{id}"`), rpc("Get", `get: "/v1/a/{id=*}"`), nil},
		{"another path", rpc("Get", `get: "/v1/a/{id}"`), rpc("Get", `get: "/v1/b/{id}"`), []string{"new/a.proto:5:1: GET /v1/a/{id}, which was a.v1.S.Get, is gone [HTTP_RULE_NO_DELETE]"}},
		{"another method", rpc("Get", `get: "/v1/a/{id}"`), rpc("Get", `post: "/v1/a/{id}"`), []string{"new/a.proto:5:1: GET /v1/a/{id}, which was a.v1.S.Get, is gone [HTTP_RULE_NO_DELETE]"}},
		{"a wider path", rpc("Get", `get: "/v1/{id=a/*}"`), rpc("Get", `get: "/v1/{id=**}"`), nil},
		{"a narrower path", rpc("Get", `get: "/v1/{id=**}"`), rpc("Get", `get: "/v1/{id=a/*}"`), []string{"new/a.proto:5:1: GET /v1/{id=**}, which was a.v1.S.Get, is gone [HTTP_RULE_NO_DELETE]"}},
		{"a wider path that is narrower at its end", rpc("Get", `get: "/v1/{id=a/**}"`), rpc("Get", `get: "/v1/{id=a/*}"`), []string{"new/a.proto:5:1: GET /v1/{id=a/**}, which was a.v1.S.Get, is gone [HTTP_RULE_NO_DELETE]"}},
		{"less of the same path", rpc("Get", `get: "/v1/{id=a/*}"`), rpc("Get", `get: "/v1/a/{id}"`), []string{"new/a.proto:5:1: GET /v1/a/{id} takes other parts of the path for id than /v1/{id=a/*} [HTTP_RULE_SAME_FIELDS]"}},
		{"more of a wider path", rpc("Get", `get: "/v1/a/{id}"`), rpc("Get", `get: "/v1/{id=**}"`), []string{"new/a.proto:5:1: GET /v1/{id=**} takes other parts of the path for id than /v1/a/{id} [HTTP_RULE_SAME_FIELDS]"}},
		{"fields that change places", rpc("Get", `get: "/v1/{id}/{b.id}"`), rpc("Get", `get: "/v1/{b.id}/{id}"`), []string{"new/a.proto:5:1: GET /v1/{b.id}/{id} takes other parts of the path for b.id, id than /v1/{id}/{b.id} [HTTP_RULE_SAME_FIELDS]"}},
		{"another verb", rpc("Get", `get: "/v1/a/{id}:x"`), rpc("Get", `get: "/v1/a/{id}:y"`), []string{"new/a.proto:5:1: GET /v1/a/{id}:x, which was a.v1.S.Get, is gone [HTTP_RULE_NO_DELETE]"}},
		{"the operation is gone", rpc("Get", `get: "/v1/a/{id}"`), "", []string{
			"new/a.proto:3:3: the RPC a.v1.S.Get is gone [RPC_NO_DELETE]", "old/a.proto:5:1: GET /v1/a/{id}, which was a.v1.S.Get, is gone [HTTP_RULE_NO_DELETE]",
		}},
		{"another operation", rpc("Get", `get: "/v1/a/{id}"`) + rpc("Find", ``), rpc("Get", ``) + rpc("Find", `get: "/v1/a/{id}"`), nil},
		{"another field", rpc("Get", `get: "/v1/a/{b.id}"`), rpc("Get", `get: "/v1/a/{id}"`), []string{"new/a.proto:5:1: GET /v1/a/{id} took [b.id] from the path and takes [id] [HTTP_RULE_SAME_FIELDS]"}},
		{"another body", rpc("Get", `post: "/v1/a" body: "b"`), rpc("Get", `post: "/v1/a" body: "*"`), []string{`new/a.proto:5:1: POST /v1/a had the body "b" and has "*" [HTTP_RULE_SAME_BODY]`}},
		{"another reply", rpc("Get", `get: "/v1/a" response_body: "b"`), rpc("Get", `get: "/v1/a"`), []string{`new/a.proto:5:1: GET /v1/a had the response_body "b" and has "" [HTTP_RULE_SAME_RESPONSE_BODY]`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Contains(c.before, "{  }") { // a rule of nothing is a fault: the operation has none at first
				c.before = strings.Replace(c.before, " {\noption (google.api.http) = {  }; }", ";", 1)
				c.after = strings.Replace(c.after, " {\noption (google.api.http) = {  }; }", ";", 1)
				c.want = []string{"new/a.proto:6:1: GET /v1/a/{id} was a.v1.S.Get and is a.v1.S.Find [HTTP_RULE_SAME_RPC]"}
			}
			var got []string
			for _, found := range breaking.Compare(
				load(t, "old", map[string]string{"a.proto": head + c.before + "}"}), load(t, "new", map[string]string{"a.proto": head + c.after + "}"}),
			) {
				got = append(got, found.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
