package house

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheHouseKeepsItsRules(t *testing.T) {
	root := os.DirFS("../..")
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Fatalf("the repository's root is not two up: %v", err)
	}
	found, err := Check(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// Each rule finds what is planted for it, and leaves alone what is near.
func TestRulesFindWhatIsPlanted(t *testing.T) {
	explained := func(name, rest string) string {
		return "// Package " + name + " is here.\npackage " + name + "\n" + rest
	}
	for _, test := range []struct {
		name string
		file string
		text string
		want string // part of the one finding; empty for none
	}{
		{"leaf imports the heart", "contract/a.go", explained("contract", `import _ "banyan.dev/banyan/strangler"`), "contract/a.go:3: contract must not import strangler: it is a leaf"},
		{"leaf imports faults", "contract/a.go", explained("contract", `import _ "banyan.dev/banyan/internal/fault"`), ""},
		{"leaf below mirror", "mirror/change/a.go", explained("change", `import _ "banyan.dev/banyan/mirror"`), "mirror/change must not import mirror: it is a leaf"},
		{"mirror imports its leaf", "mirror/a.go", explained("mirror", `import _ "banyan.dev/banyan/mirror/change"`), ""},
		{"heart looks up", "strangler/a.go", explained("strangler", `import _ "banyan.dev/banyan/legacy"`), "strangler must not import legacy: the heart knows ports"},
		{"part of legacy looks up", "legacy/value/a.go", explained("value", `import _ "banyan.dev/banyan/api/rest"`), "legacy must not import api/rest"},
		{"parts of one room", "legacy/a.go", explained("legacy", `import _ "banyan.dev/banyan/legacy/value"`), ""},
		{"api reaches past the heart", "api/rest/a.go", explained("rest", `import _ "banyan.dev/banyan/legacy"`), "api must not import legacy: what clients reach"},
		{"example uses the inside", "examples/shop/a.go", explained("shop", `import _ "banyan.dev/banyan/legacy/annotated"`), "examples must not import legacy/annotated"},
		{"tests of an example use the inside", "examples/shop/a_test.go", "package shop\n\nimport _ \"banyan.dev/banyan/legacy/annotated\"", ""},
		{"adapter imports adapter", "adapters/binlog/a.go", explained("binlog", `import _ "banyan.dev/banyan/adapters/rabbitmq/frame"`), "adapters/binlog must not import adapters/rabbitmq/frame: an adapter can then"},
		{"adapter imports its own part", "adapters/binlog/a.go", explained("binlog", `import _ "banyan.dev/banyan/adapters/binlog/wire"`), ""},
		{"main does more than hand over", "cmd/banyan/a.go", explained("main", `import _ "banyan.dev/banyan/legacy"`), "cmd must not import legacy: main only hands over"},
		{"a room nobody planned", "attic/a.go", explained("attic", ""), "the room attic is not in the plan"},
		{"tests use real servers", "contract/a_test.go", "package contract\n\nimport _ \"banyan.dev/banyan/internal/devstack\"", ""},
		{"code uses servers of tests", "legacy/a.go", explained("legacy", `import _ "banyan.dev/banyan/internal/devstack"`), "legacy must not import internal/devstack"},
		{"a name that only begins the same", "strangler/a.go", explained("strangler", `import _ "banyan.dev/banyan/contractor"`), "strangler must not import contractor"},
		{"binlog library elsewhere", "mirror/a.go", explained("mirror", `import _ "github.com/go-mysql-org/go-mysql/replication"`), "only adapters/binlog, bench may import github.com/go-mysql-org/go-mysql"},
		{"binlog library at home", "adapters/binlog/a.go", explained("binlog", `import _ "github.com/go-mysql-org/go-mysql/replication"`), ""},
		{"binlog library in what is written by hand", "bench/canal/a.go", explained("canal", `import _ "github.com/go-mysql-org/go-mysql/canal"`), ""},
		{"binlog library in another benchmark", "legacy/bench/a.go", explained("bench", `import _ "github.com/go-mysql-org/go-mysql/canal"`), "only adapters/binlog, bench may import"},
		{"broker library in what is written by hand", "bench/canal/a.go", explained("canal", `import _ "github.com/rabbitmq/amqp091-go"`), ""},
		{"broker library elsewhere", "adapters/store/a.go", explained("store", `import _ "github.com/rabbitmq/amqp091-go"`), "only adapters/rabbitmq, consumer, internal/devstack, bench, internal/chaos may import"},
		{"stream library at home", "adapters/rabbitmq/a.go", explained("rabbitmq", `import _ "github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"`), ""},
		{"stream library elsewhere", "consumer/a.go", explained("consumer", `import _ "github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"`), "only adapters/rabbitmq may import"},
		{"broker library at home", "consumer/a.go", explained("consumer", `import _ "github.com/rabbitmq/amqp091-go"`), ""},
		{"no doc comment", "legacy/a.go", "package legacy\n", "the package legacy has no doc comment"},
		{"doc comment apart from the package", "legacy/a.go", "// Package legacy is here.\n\npackage legacy\n", "the package legacy has no doc comment"},
		{"tests only", "legacy/a_test.go", "package legacy\n", ""},
		{"vague name", "legacy/utils/a.go", explained("utils", ""), "a package named utils has no subject"},
		{"vague name of a test package", "legacy/common/a_test.go", "package common_test\n", "a package named common has no subject"},
		{"long file", "legacy/a.go", explained("legacy", strings.Repeat("\n", mostLines)), "more than 400: split it"},
		{"long generated file", "legacy/a.go", "// Code generated by x. DO NOT EDIT.\n\npackage legacy\n" + strings.Repeat("\n", mostLines), ""},
		{"sleeping test", "legacy/a_test.go", "package legacy\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n", "legacy/a_test.go:5: time.Sleep in a test"},
		{"sleeping test under another name", "legacy/a_test.go", "package legacy\n\nimport clock \"time\"\n\nfunc f() { clock.Sleep(1) }\n", "time.Sleep in a test"},
		{"sleep in a bubble", "legacy/a_test.go", "package legacy\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }\n", ""},
		{"sleep beside a bubble", "legacy/a_test.go", "package legacy\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f() { synctest.Test(nil, nil); time.Sleep(1) }\n", "time.Sleep in a test"},
		{"sleep that is not time's", "legacy/a_test.go", "package legacy\n\nfunc f() { time.Sleep(1) }\n", ""},
		{"sleep in code", "legacy/a.go", explained("legacy", "import \"time\"\n\nfunc f() { time.Sleep(1) }\n"), ""},
		{"error by v", "legacy/a.go", explained("legacy", "import \"fmt\"\n\nfunc f(err error) error { return fmt.Errorf(\"%d%% of %q: %v\", 1, \"x\", err) }\n"), "an error is formatted by %v"},
		{"error by s", "legacy/a.go", explained("legacy", "import \"fmt\"\n\nfunc f(s *T) error { return fmt.Errorf(\"x: %s\", s.closeErr) }\n"), "an error is formatted by %s"},
		{"error wrapped", "legacy/a.go", explained("legacy", "import \"fmt\"\n\nfunc f(err error) error { return fmt.Errorf(\"%-5v: %w\", 1, err) }\n"), ""},
		{"init", "legacy/a.go", explained("legacy", "func init() {}\n"), "legacy/a.go:3: an init function"},
		{"method named init", "legacy/a.go", explained("legacy", "type T int\n\nfunc (T) init() {}\n"), ""},
		{"unfinished code", "legacy/a.go", explained("legacy", "// TO"+"DO(me): later\n"), "legacy/a.go:3: TO" + "DO: do it now"},
		{"unfinished SQL", "examples/shop/sql/a.sql", "-- FIX" + "ME\n", "examples/shop/sql/a.sql:1: FIX" + "ME: do it now"},
		{"unfinished script", ".ci/run", "# HA" + "CK\n", ".ci/run:1"},
		{"words that only begin so", "docs/a.md", "A TO" + "DOS is an operating system.\n", ""},
		{"mistakes on purpose", "legacy/testdata/a.go", "package utils\n", ""},
		{"what tools wrote", ".cache/a.go", "package utils\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := Check(fstest.MapFS{test.file: {Data: []byte(test.text)}})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(found) > 0:
				t.Errorf("found %v, want nothing", found)
			case test.want != "" && (len(found) != 1 || !strings.Contains(found[0].String(), test.want)):
				t.Errorf("found %v, want one with %q", found, test.want)
			}
		})
	}
}

func TestFilesThatAreNoGoAreErrors(t *testing.T) {
	if _, err := Check(fstest.MapFS{"a.go": {Data: []byte("no Go")}}); err == nil || !strings.Contains(err.Error(), "parse a.go") {
		t.Errorf("got %v, want the file that can't be parsed", err)
	}
}

// A plan with a circle would let imports turn back.
func TestThePlanHasNoCircle(t *testing.T) {
	plan := rooms()
	var walk func(dir string, way []string) error
	walk = func(dir string, way []string) error {
		for _, passed := range way {
			if passed == dir {
				return fmt.Errorf("imports may go in a circle: %v", append(way, dir))
			}
		}
		r, ok := roomOf(plan, dir)
		if !ok {
			return nil
		}
		for _, next := range r.may {
			if err := walk(next, append(way[:len(way):len(way)], dir)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, r := range plan {
		if r.why == "" {
			t.Errorf("%s has no reason", r.dir)
		}
		if err := walk(r.dir, nil); err != nil {
			t.Error(err)
		}
	}
}
