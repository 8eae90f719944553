package versions_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

// loadFile loads an archive of testdata/translate.
func loadFile(t *testing.T, name string) *lab {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/translate/" + name)
	if err != nil {
		t.Fatal(err)
	}
	l, faults := load(t, archive)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	return l
}

// What has the same layout on both sides goes through as the same bytes, in requests and replies.
func TestSameLayoutsAreNotCopied(t *testing.T) {
	l := loadFile(t, "fields.txtar")
	op := l.operation(t, "a.v1.S.Twin")
	given := wire(t, message(t, op.Input, `{"renamed": "x", "deep": [{"x": 1}]}`))
	l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, given)}
	got, err := l.call(t, op, contract.FromWire(op.Input, given))
	if err != nil {
		t.Fatal(err)
	}
	asked, err := l.asked.Request.Wire()
	if err != nil {
		t.Fatal(err)
	}
	answered, err := got[0].Wire()
	if err != nil {
		t.Fatal(err)
	}
	if &asked[0] != &given[0] || &answered[0] != &given[0] {
		t.Error("the bytes were copied")
	}
}

// Encoders may write a field that is there once in several pieces, of which the last one counts, or which are merged.
func TestFieldsInPieces(t *testing.T) {
	l := loadFile(t, "updates.txtar")
	op := l.operation(t, "a.v1.S.Update")
	var b []byte
	for _, piece := range []string{
		`{"person": {"id": 6, "first": "A"}}`, `{"updateMask": "first"}`, `{"person": {"id": 7, "middle": "B", "street": "C"}}`, `{"updateMask": "middle,street"}`,
	} {
		b = append(b, wire(t, message(t, op.Input, piece))...)
	}
	l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, nil)}
	if _, err := l.call(t, op, contract.FromWire(op.Input, b)); err != nil {
		t.Fatal(err)
	}
	same(t, l.asked.Request, `{"human": {"id": 7, "givenNames": "A B", "address": {"street": "C"}}, "updateMask": "givenNames,address.street"}`)
}

// Of a number that has more bits than its field, decoders take the lower ones.
func TestNumbersThatAreTooLong(t *testing.T) {
	l := loadFile(t, "fields.txtar")
	op := l.operation(t, "a.v1.S.Put")
	l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, nil)}
	const upper = 1 << 40
	if _, err := l.call(t, op, contract.FromWire(op.Input, protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), upper|protowire.EncodeZigZag(-5)))); err != nil {
		t.Fatal(err)
	}
	same(t, l.asked.Request, `{"wide": "-5"}`)
}

// A zero that an encoder writes, although its field can't be told from an unset one, is not there.
func TestZerosThatAreNotThere(t *testing.T) {
	l := loadFile(t, "fields.txtar")
	op := l.operation(t, "a.v1.S.Put")
	l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, nil)}
	for _, number := range []protowire.Number{6, 15} { // text, street
		if _, err := l.call(t, op, contract.FromWire(op.Input, protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), ""))); err != nil {
			t.Fatal(err)
		}
		same(t, l.asked.Request, `{}`)
	}
}

// "*" is all of the resource, and is not known to JSON's masks.
func TestMaskOfEverything(t *testing.T) {
	l := loadFile(t, "updates.txtar")
	op := l.operation(t, "a.v1.S.Update")
	b := wire(t, message(t, op.Input, `{"person": {"id": 7}}`))
	b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), []byte("\x0a\x01*"))
	l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, nil)}
	if _, err := l.call(t, op, contract.FromWire(op.Input, b)); err != nil {
		t.Fatal(err)
	}
	m, err := l.asked.Request.Message()
	if err != nil {
		t.Fatal(err)
	}
	mask := m.Get(m.Descriptor().Fields().ByName("update_mask")).Message()
	if paths := mask.Get(mask.Descriptor().Fields().ByName("paths")).List(); paths.Len() != 1 || paths.Get(0).String() != "*" {
		t.Errorf("the mask is %v", mask)
	}
	human := m.Get(m.Descriptor().Fields().ByName("human")).Message()
	if got := human.Get(human.Descriptor().Fields().ByName("given_names")).String(); got != " " {
		t.Errorf("names are %q: what a mask covers is made of empty fields, too", got)
	}
}

// "*" of an older version is what that version has: the rest of the resource stays as it is.
func TestMaskOfAllThatIsKnown(t *testing.T) {
	l := loadFile(t, "masks.txtar")
	for _, test := range []struct{ op, request, want string }{
		{"Update", `{"person": {"id": 7, "surname": "X"}}`, "name,address.street,work,same,others,inner.street"},
		{"Update", `{"person": {"id": 7, "work": {"next": {}}}}`, "name,address.street,work.city,work.next.city,work.next.next,same,others,inner.street"},
		{"Set", `{"id": 7}`, "id,name"}, // that it finds the resource no path says
	} {
		op := l.operation(t, "a.v1.S."+test.op)
		b := wire(t, message(t, op.Input, test.request))
		mask := op.Input.Fields().ByName("update_mask").Number()
		b = protowire.AppendBytes(protowire.AppendTag(b, mask, protowire.BytesType), []byte("\x0a\x01*"))
		l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, nil)}
		if _, err := l.call(t, op, contract.FromWire(op.Input, b)); err != nil {
			t.Fatal(err)
		}
		m, err := l.asked.Request.Message()
		if err != nil {
			t.Fatal(err)
		}
		given, ok := m.Get(m.Descriptor().Fields().ByName("update_mask")).Message().Interface().(*dynamicpb.Message)
		if !ok {
			t.Fatal("the mask is no message")
		}
		var paths []string
		for list, i := given.Get(given.Descriptor().Fields().ByName("paths")).List(), 0; i < list.Len(); i++ {
			paths = append(paths, list.Get(i).String())
		}
		if got := strings.Join(paths, ","); got != test.want {
			t.Errorf("%s %s: the mask is %s, want %s", test.op, test.request, got, test.want)
		}
	}
}

// Errors name the older version's fields, with their indices, and its own names of things.
func TestErrorsAreTheOlderVersions(t *testing.T) {
	updates, fields := loadFile(t, "updates.txtar"), loadFile(t, "fields.txtar")
	for _, test := range []struct {
		of   *lab
		op   string
		fail *strangler.Error
		want string
	}{
		{fields, "Put", strangler.Invalid("new_name", "too long"), "InvalidArgument old_name: too long [old_name]"},
		{fields, "Put", strangler.Invalid("parts[2].piece_name", "no"), "InvalidArgument parts[2].p: no [parts[2].p]"},
		{fields, "Put", strangler.Invalid("inner.inner.parts[0].piece_name", "no"), "InvalidArgument inner.inner.parts[0].p: no [inner.inner.parts[0].p]"},
		{fields, "Put", strangler.Invalid("address.street", "no"), "InvalidArgument street: no [street]"},
		{fields, "Put", strangler.Invalid("address", "no"), "InvalidArgument street: no [street]"},
		{fields, "Put", strangler.Invalid("price.units", "no"), "InvalidArgument cents: no [cents]"},
		{fields, "Put", strangler.Invalid("numbers[1]", "no"), "InvalidArgument numbers[1]: no [numbers[1]]"},
		{fields, "Put", strangler.Invalid(`by_name["a.b"].piece_name`, "no"), `InvalidArgument by_name["a.b"].p: no [by_name["a.b"].p]`},
		{fields, "Put", strangler.Invalid(`size_by[1]`, "no"), `InvalidArgument size_by[1]: no [size_by[1]]`},
		{fields, "Put", strangler.Invalid("unheard.of", "no"), "InvalidArgument unheard.of: no [unheard.of]"},
		{fields, "Put", strangler.Fail(codes.FailedPrecondition, "X", "address.city: has no name"), "FailedPrecondition city: has no name"},
		{fields, "Put", strangler.Fail(codes.NotFound, "X", "there is none"), "NotFound there is none"},
		{fields, "Put", strangler.Fail(codes.Unimplemented, "X", "a.v2.S.Put is declared, but not served here"), "Unimplemented a.v1.S.Put is declared, but not served here"},
		{fields, "Put", strangler.Invalid("size", "must be a value of a.v2.Measure, in a.v2.Thing, not a.v2.Measured"), "InvalidArgument size: must be a value of a.v1.Size, in a.v1.Thing, not a.v2.Measured [size]"},
		{updates, "Update", strangler.Invalid("human.name", "no"), "InvalidArgument person.surname: no [person.surname]"},
		{updates, "Update", strangler.Fail(codes.InvalidArgument, "X", "address.street: no such street"), "InvalidArgument street: no such street"},
		{updates, "Update", strangler.Invalid("update_mask", `"address.street" can't be changed by this call`), `InvalidArgument update_mask: "street" can't be changed by this call [update_mask]`},
		{updates, "Update", strangler.Invalid("update_mask", `"jobs" is written as a whole; name "jobs"`), `InvalidArgument update_mask: "jobs" is written as a whole; name "jobs" [update_mask]`},
		{updates, "Set", strangler.Invalid("human.name", "no"), "InvalidArgument surname: no [surname]"},
	} {
		op := test.of.operation(t, "a.v1.S."+test.op)
		test.of.replies, test.of.fail = nil, test.fail
		_, err := test.of.call(t, op, contract.FromWire(op.Input, nil))
		if got := told(err); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.fail.Message, got, test.want)
		}
	}
}

func TestErrorsKeepTheRest(t *testing.T) {
	l := loadFile(t, "fields.txtar")
	op := l.operation(t, "a.v1.S.Put")
	cause := errors.New("why")
	given := &strangler.Error{
		Code: codes.Aborted, Reason: "R", Domain: "a.v2", Message: "m", Metadata: map[string]string{"k": "v"}, RetryAfter: 7, Cause: cause,
		Violations: []strangler.Violation{{Field: "new_name", Description: "d"}},
	}
	l.fail = given
	_, err := l.call(t, op, contract.FromWire(op.Input, nil))
	var got *strangler.Error
	if !errors.As(err, &got) || got.Code != codes.Aborted || got.Reason != "R" || got.Domain != "a.v1" || got.Message != "m" || got.Metadata["k"] != "v" || got.RetryAfter != 7 || got.Cause != cause {
		t.Errorf("got %+v", got)
	}
	if given.Domain != "a.v2" || given.Violations[0].Field != "new_name" {
		t.Error("the error of the newer version was changed")
	}
	l.fail = &strangler.Error{Code: codes.NotFound, Domain: strangler.Domain}
	if _, err := l.call(t, op, contract.FromWire(op.Input, nil)); !errors.As(err, &got) || got.Domain != strangler.Domain {
		t.Errorf("got %+v", err)
	}
}

// A stream is translated reply by reply; who stops reading gets his own error back, and one that can't be translated ends it.
func TestStreams(t *testing.T) {
	l := loadFile(t, "fields.txtar")
	op := l.operation(t, "a.v1.S.Many")
	newer := l.versions.Translated(op)
	for _, text := range []string{`{"newName": "a"}`, `{"newName": "b"}`, `{"size": 99}`, `{"newName": "c"}`} {
		l.replies = append(l.replies, contract.FromMessage(message(t, newer.Output, text)))
	}
	got, err := l.call(t, op, contract.FromWire(op.Input, nil))
	if len(got) != 2 || told(err) != "Internal the answer can't be given by a.v1.S.Many; the log names the cause under the request id" {
		t.Errorf("%d replies, then %v", len(got), err)
	}
	stop := errors.New("stop")
	err = l.backend.Call(t.Context(), &strangler.Call{Operation: op, Request: contract.FromWire(op.Input, nil)}, func(*strangler.Reply) error { return stop })
	if err != stop {
		t.Errorf("the caller's own error came back as %v", err)
	}
}

func TestMalformedRequests(t *testing.T) {
	l := loadFile(t, "updates.txtar")
	op := l.operation(t, "a.v1.S.Update")
	for _, b := range []string{"\xff", "\x0a\x05x", "\x12\x02\x0a\x07", "\x0a\x02\x2a\x01"} {
		if _, err := l.call(t, op, contract.FromWire(op.Input, []byte(b))); told(err) != "InvalidArgument the request is no valid a.v1.UpdateRequest; send it encoded by the contract's own messages" || l.asked != nil {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// Messages within messages go as deep as decoders take them, and cost no more than their size.
func TestDeepRequests(t *testing.T) {
	l := loadFile(t, "fields.txtar")
	op := l.operation(t, "a.v1.S.Put")
	l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, nil)}
	deep := func(levels int) []byte {
		text := wire(t, message(t, op.Input, `{"text": "`+strings.Repeat("x", 100_000)+`"}`))
		ends := [][]byte{text}
		size := len(text)
		for range levels { // from the inside out
			head := protowire.AppendVarint(protowire.AppendTag(nil, 18, protowire.BytesType), uint64(size))
			ends, size = append(ends, head), size+len(head)
		}
		slices.Reverse(ends)
		return bytes.Join(ends, nil)
	}
	if _, err := l.call(t, op, contract.FromWire(op.Input, deep(3000))); err != nil {
		t.Error(err)
	}
	same, err := l.asked.Request.Message()
	if err != nil {
		t.Fatal(err)
	}
	inner, text := same.Descriptor().Fields().ByName("inner"), same.Descriptor().Fields().ByName("text")
	for range 3000 {
		same = same.Get(inner).Message()
	}
	if got := len(same.Get(text).String()); got != 100_000 {
		t.Errorf("the innermost text has %d characters", got)
	}
	if _, err := l.call(t, op, contract.FromWire(op.Input, deep(1_000_000))); err == nil || l.asked != nil {
		t.Errorf("a million levels: %v", err)
	}
}

// Whatever bytes come, they are refused, or what is asked can be read; and unknown fields never become others.
func FuzzRequests(f *testing.F) {
	for _, seed := range []string{"", "\x0a\x02\x08\x07", "\x0a\x04\x2a\x00\x32\x00\x12\x03\x0a\x01*", "\xfa\x01\x00"} {
		f.Add([]byte(seed))
	}
	labs := map[string]*lab{}
	f.Fuzz(func(t *testing.T, b []byte) {
		for file, name := range map[string]string{"updates.txtar": "a.v1.S.Update", "fields.txtar": "a.v1.S.Put"} {
			if labs[file] == nil {
				labs[file] = loadFile(t, file)
			}
			l := labs[file]
			op := l.operation(t, name)
			l.replies = []*contract.Payload{contract.FromWire(l.versions.Translated(op).Output, nil)}
			valid := contract.Unmarshal(proto.UnmarshalOptions{}, b, dynamicpb.NewMessage(op.Input)) == nil
			_, err := l.call(t, op, contract.FromWire(op.Input, b))
			if err != nil {
				var e *strangler.Error
				if !errors.As(err, &e) || e.Code != codes.InvalidArgument {
					t.Fatalf("%x: %v", b, err)
				}
				continue
			}
			m, err := l.asked.Request.Message()
			if err != nil && valid {
				t.Fatalf("%x became what can't be read: %v", b, err)
			}
			if err == nil && valid && len(m.GetUnknown()) > 0 {
				t.Fatalf("%x became unknown fields: %x", b, m.GetUnknown())
			}
		}
	})
}
