package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const versioned = "contract: {paths: [c]}\nsql: [s]\nlegacy: {dsn: 'u@tcp(h)/s'}\nversions:\n"

// What a version says may stand in a file of its own, whose faults have their places there.
func TestVersionsHaveFilesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "v1.yaml")
	if err := os.WriteFile(own, []byte(`messages:
  a.v1.M from a.v2.M:
    fields:
      id: int(id)
      "sum.units": 'a + b'
      text: >-
        a +
        b
    unset: [x, sum.nanos]
enum: {}
operations: {a.v1.S.Get: {}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "banyan.yaml")
	if err := os.WriteFile(file, []byte(versioned+"  a.v1: {of: a.v2, file: v1.yaml}\nauth: {off: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, faults := Load(file, env(nil))
	if diff := cmp.Diff([]string{
		own + ":10:1: unknown key \"enum\" in versions.a.v1 (did you mean enums?)",
		own + ":11:14: versions.a.v1.operations.a.v1.S.Get.to is missing (add it; docs/config.md says what it holds)",
	}, texts(faults)); diff != "" {
		t.Errorf("faults (- want, + got):\n%s", diff)
	}
	m := c.Versions["a.v1"].Messages["a.v1.M from a.v2.M"]
	if diff := cmp.Diff(VersionMessage{
		Fields: map[string]string{"id": "int(id)", "sum.units": "a + b", "text": "a + b"}, Unset: []string{"x", "sum.nanos"},
	}, m); diff != "" {
		t.Errorf("the message (- want, + got):\n%s", diff)
	}
	const fields = "versions.a.v1.messages.a.v1.M from a.v2.M.fields."
	for _, test := range []struct {
		key   string
		col   int
		exact bool
	}{{"id", 11, true}, {"sum.units", 21, true}} {
		if at, exact := c.ValuePos(fields + test.key); at.File != own || at.Col != test.col || exact != test.exact {
			t.Errorf("%s begins at %s (%v), want column %d (%v)", test.key, at, exact, test.col, test.exact)
		}
	}
	if _, exact := c.ValuePos(fields + "text"); exact {
		t.Error("places in a text of several lines can be told")
	}
}

func TestVersionsThatCanNotBeRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "banyan.yaml")
	if err := os.WriteFile(file, []byte(versioned+`  a.v1: {of: a.v2, file: none.yaml}
  a.v0: {of: a.v1, file: v0.yaml, untranslated: [a.v0.S.Get]}
  b.v1: {of: b.v2, messages: {"b.v1.M of b.v2.M": {}}}
  c.v1: {}
  d.v1: {of: d.v2, sunset: 2026-01-01, link: "example.com/<x>", deprecated: 2026-01-02T00:00:00+01:00}
  e.v1: {of: e.v2, sunset: soon}
  f.v1: {of: f.v2, link: "https://example.com/x"}
  g.v1: {deprecated: 2026-01-01}
  h.v1: {of: h.v2, deprecated: 2026-01-01, after_sunset: refuse}
  i.v1: {of: i.v2, sunset: 2026-01-01, after_sunset: stop}
auth: {off: true}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, faults := Load(file, env(nil))
	if diff := cmp.Diff([]string{
		file + ":5:20: can't read " + filepath.Join(dir, "none.yaml") + ": no such file or directory (paths are relative to the config file)",
		file + ":6:20: versions.a.v0 has a file, and keys that belong there (move all of it into one of the two)",
		file + ":7:31: versions.b.v1.messages.b.v1.M of b.v2.M has a name that can't be used (write it as the contract does: letters, digits, underscores, and dots between)",
		file + ":8:3: versions.c.v1 is a translation of nothing (name the newer version in versions.c.v1.of)",
		file + ":9:20: versions.d.v1.sunset is before versions.d.v1.deprecated (let callers know before)",
		file + ":9:40: versions.d.v1.link is no address of a page (write https://…)",
		file + ":10:28: versions.e.v1.sunset is not a date (write a day such as 2027-06-30, or a time such as 2027-06-30T12:00:00Z)",
		file + ":11:20: versions.f.v1.link is about a deprecation, and there is none (say when, in versions.f.v1.deprecated or versions.f.v1.sunset)",
		file + ":13:44: versions.h.v1 is to be refused after its sunset, which is not said (say when, in versions.h.v1.sunset)",
		file + ":14:54: versions.i.v1.after_sunset is not serve or refuse (write serve (the version goes on) or refuse (its callers are told that it is gone))",
	}, texts(faults)); diff != "" {
		t.Errorf("faults (- want, + got):\n%s", diff)
	}
}
