package versions_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"banyan.dev/banyan/contract"
)

var update = flag.Bool("update", false, "write the faults anew")

// The archives in testdata/translate have a contract, rules, and cases: a request or a reply, and below it what becomes of
// it, behind "->": JSON, or the error that the caller is told, behind "!".
func TestTranslations(t *testing.T) {
	for _, file := range archives(t, "translate") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			l, faults := load(t, archive)
			for _, f := range faults.All() {
				t.Error(f)
			}
			if faults.Failed() {
				t.FailNow()
			}
			for _, f := range archive.Files {
				if f.Name == "cases" {
					l.cases(t, string(f.Data))
				}
			}
		})
	}
}

func archives(t *testing.T, kind string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind + "/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d archives: %v", len(files), err)
	}
	return files
}

func (l *lab) cases(t *testing.T, text string) {
	t.Helper()
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		what, rest, ok := strings.Cut(lines[i], " ")
		if !ok || strings.HasPrefix(what, "#") {
			continue
		}
		name, given, _ := strings.Cut(rest, " ")
		i++
		want, ok := strings.CutPrefix(lines[i], "-> ")
		if !ok {
			t.Fatalf("%s: a case without what becomes of it", line(i))
		}
		op := l.operation(t, name)
		t.Run(line(i-1), func(t *testing.T) {
			if what == "request" {
				l.request(t, op, given, want)
			} else {
				l.reply(t, op, given, want)
			}
		})
	}
}

// request makes a call, from bytes and from a message, and looks at what arrives behind.
func (l *lab) request(t *testing.T, op *contract.Operation, given, want string) {
	t.Helper()
	newest := op
	for to := l.versions.Translated(op); to != nil; to = l.versions.Translated(to) {
		newest = to
	}
	m := message(t, op.Input, given)
	l.replies, l.fail = []*contract.Payload{contract.FromWire(newest.Output, nil)}, nil
	for _, request := range []*contract.Payload{contract.FromWire(op.Input, wire(t, m)), contract.FromMessage(m)} {
		_, err := l.call(t, op, request)
		if refused, ok := strings.CutPrefix(want, "!"); ok {
			if err == nil || told(err) != refused {
				t.Errorf("got  %v\nwant %s", told(err), refused)
			}
			if l.asked != nil {
				t.Error("it was asked all the same")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if l.asked.Operation != newest || l.asked.RequestID != "r" || l.asked.Claims["sub"] != "me" {
			t.Errorf("asked %+v", l.asked)
		}
		same(t, l.asked.Request, want)
	}
}

// reply lets the newest operation give a message, and looks at what the caller gets.
func (l *lab) reply(t *testing.T, op *contract.Operation, given, want string) {
	t.Helper()
	newest := op
	for to := l.versions.Translated(op); to != nil; to = l.versions.Translated(to) {
		newest = to
	}
	m := message(t, newest.Output, given)
	for _, reply := range []*contract.Payload{contract.FromWire(newest.Output, wire(t, m)), contract.FromMessage(m)} {
		l.replies, l.fail = []*contract.Payload{reply}, nil
		got, err := l.call(t, op, contract.FromWire(op.Input, nil))
		if refused, ok := strings.CutPrefix(want, "!"); ok {
			if err == nil || told(err) != refused {
				t.Errorf("got  %v\nwant %s", told(err), refused)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 {
			t.Fatalf("%d replies", len(got))
		}
		same(t, got[0], want)
	}
}

// The archives in testdata/faults have rules that are wrong, and all that is said of them.
func TestFaults(t *testing.T) {
	for _, file := range archives(t, "faults") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, faults := load(t, archive)
			var got strings.Builder
			for _, f := range faults.All() {
				got.WriteString(f.String() + "\n")
			}
			for i, f := range archive.Files {
				if f.Name != "faults" {
					continue
				}
				if *update {
					archive.Files[i].Data = []byte(got.String())
					if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
						t.Fatal(err)
					}
				} else if got.String() != string(f.Data) {
					t.Errorf("got:\n%swant:\n%s", got.String(), f.Data)
				}
			}
		})
	}
}
