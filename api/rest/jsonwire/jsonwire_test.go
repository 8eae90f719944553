package jsonwire_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/api/edge/edgetest"
	"banyan.dev/banyan/api/rest/jsonwire"
	"banyan.dev/banyan/contract"
)

// comparison compares what jsonwire writes with what protojson writes.
type comparison struct {
	contract *contract.Contract
	opts     jsonwire.Options
	plans    *jsonwire.Transcoder
}

func compare(c *contract.Contract, opts jsonwire.Options) comparison {
	return comparison{contract: c, opts: opts, plans: jsonwire.New(c.Types, opts)}
}

func compact(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, b)
	}
	return out.Bytes()
}

// check wants the same JSON, byte by byte but for white space, or an error from both.
func (c comparison) check(t *testing.T, wire []byte) {
	t.Helper()
	md := c.contract.Message("test.v1.All")
	m := dynamicpb.NewMessage(md)
	opts := protojson.MarshalOptions{EmitUnpopulated: !c.opts.OmitUnpopulated, UseProtoNames: c.opts.UseProtoNames, Resolver: c.contract.Types}
	var want []byte
	wantErr := contract.Unmarshal(proto.UnmarshalOptions{Resolver: c.contract.Types}, wire, m)
	if wantErr != nil && strings.HasPrefix(wantErr.Error(), "decoding ") {
		return // a panic of proto's, where generated code decodes; there is nothing to compare with
	}
	if wantErr == nil {
		want, wantErr = opts.Marshal(m)
	}
	before := []byte("before")
	got, err := c.plans.Message(md).Append(before, wire)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("wire %x:\nerror %v\nwant  %v\n%s", wire, err, wantErr, want)
	}
	if !bytes.HasPrefix(got, before) {
		t.Fatalf("what was there is gone: %s", got)
	}
	if err != nil {
		if len(got) != len(before) {
			t.Fatalf("an error leaves %q", got)
		}
		return
	}
	if g, w := compact(t, got[len(before):]), compact(t, want); !bytes.Equal(g, w) {
		t.Fatalf("wire %x:\ngot  %s\nwant %s", wire, g, w)
	}
}

func allOptions() []jsonwire.Options {
	return []jsonwire.Options{{}, {OmitUnpopulated: true}, {UseProtoNames: true}}
}

func TestRandomMessagesAreAsProtojsonWritesThem(t *testing.T) {
	c := edgetest.Contract(t)
	for _, opts := range allOptions() {
		cmp := compare(c, opts)
		for seed := range uint64(60) {
			r := rand.New(rand.NewPCG(seed, 1))
			m := maker{Rand: r, types: c.Types, wild: seed%4 == 0}.message(c.Message("test.v1.All"), 4)
			wire, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			cmp.check(t, wire)
			cmp.check(t, shuffle(r, wire))
			if len(wire) > 0 { // broken ones
				broken := bytes.Clone(wire)
				broken[r.IntN(len(broken))] ^= byte(1 << r.IntN(8))
				cmp.check(t, broken)
				cmp.check(t, wire[:r.IntN(len(wire))])
			}
		}
	}
}

// Forms that proto.Marshal does not make.
func TestUnusualWireForms(t *testing.T) {
	varint := func(b []byte, n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
	}
	text := func(b []byte, n protowire.Number, s string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
	}
	child := func(s string) string { return string(text(nil, 1, s)) }
	entry := func(k, v string) string { return string(text(text(nil, 1, k), 2, v)) }
	group := protowire.AppendGroup(protowire.AppendTag(nil, 500, protowire.StartGroupType), 500, varint(nil, 1, 1))
	tests := map[string][]byte{
		"empty":                       {},
		"scalar twice":                varint(varint(nil, 2, 1), 2, 2),
		"invalid text, then valid":    text(text(nil, 14, "\xff"), 14, "ok"),
		"invalid text":                text(nil, 14, "\xff"),
		"invalid text in a list":      text(nil, 39, "a\xffb"),
		"invalid text as key":         text(nil, 51, string(varint(text(nil, 1, "\xff"), 2, 1))),
		"message in two parts":        text(text(nil, 17, child("a")), 17, string(varint(nil, 2, 7))),
		"message in parts apart":      text(varint(text(nil, 17, child("a")), 2, 3), 17, string(varint(nil, 2, 7))),
		"list in parts apart":         text(varint(text(nil, 39, "a"), 2, 3), 39, "b"),
		"packed and not":              varint(text(varint(nil, 32, 1), 32, "\x02\x03"), 32, 4),
		"packed where not declared":   text(nil, 43, "\x01\x02"),
		"packed and empty":            text(nil, 32, ""),
		"packed, cut off":             text(nil, 32, "\x01\x80"),
		"packed fixed, cut off":       text(nil, 35, "abc"),
		"oneof: two members":          varint(text(nil, 61, "x"), 62, 5),
		"oneof: message, other, same": text(varint(text(nil, 63, child("a")), 62, 1), 63, string(varint(nil, 2, 9))),
		"unknown field":               text(varint(nil, 500, 1), 14, "x"),
		"unknown group":               group,
		"unknown group, open":         group[:len(group)-2],
		"end of no group":             protowire.AppendTag(nil, 500, protowire.EndGroupType),
		"other wire type":             text(varint(nil, 14, 7), 2, "zz"),
		"int32 of 64 bits":            varint(nil, 2, 1<<40+5),
		"int32 of 64 bits, zero":      varint(nil, 2, 1<<40),
		"bool of 2":                   varint(nil, 1, 2),
		"enum of 64 bits":             varint(nil, 16, 1<<40+1),
		"map key twice":               text(text(nil, 52, entry("a", "")), 52, entry("a", child("x"))),
		"map entry: key twice":        text(nil, 52, string(text([]byte(entry("a", "")), 1, "b"))),
		"map entry without value":     text(nil, 52, string(text(nil, 1, "a"))),
		"map entry without key":       text(nil, 51, string(varint(nil, 2, 5))),
		"map entry, empty":            text(nil, 54, ""),
		"map entry of nothing known":  text(nil, 55, string(varint(nil, 9, 5))),
		"map time without value":      text(nil, 57, string(varint(nil, 1, 5))),
		"map Value without value":     text(nil, 58, ""),
		"Value without kind":          text(nil, 75, ""),
		"Any without type":            text(nil, 77, string(text(nil, 2, "x"))),
		"Any of unknown type":         text(nil, 77, string(text(nil, 1, "type.googleapis.com/nope.Nope"))),
		"null value of 5":             varint(nil, 18, 5),
		"wrapper twice":               text(nil, 81, string(varint(varint(nil, 1, 1), 1, 2))),
		"tag of field 0":              {0x02, 0x00},
		"tag too large":               protowire.AppendVarint(nil, 1<<40),
		"varint too long":             bytes.Repeat([]byte{0xff}, 20),
		"length too long":             {0x72, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"nested, cut off":             text(nil, 17, "\x0a\x05a"),
	}
	deep := ""
	for range 3000 {
		deep = string(text(nil, 4, deep))
	}
	tests["deep"] = text(nil, 17, deep)
	c := edgetest.Contract(t)
	for name, wire := range tests {
		t.Run(name, func(t *testing.T) {
			for _, opts := range allOptions() {
				compare(c, opts).check(t, wire)
			}
		})
	}
}

func TestNestingHasALimit(t *testing.T) {
	c := edgetest.Contract(t)
	var wire []byte
	for range 20000 {
		wire = protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), wire)
	}
	if _, err := jsonwire.New(c.Types, jsonwire.Options{}).Message(c.Message("test.v1.Child")).Append(nil, wire); err == nil {
		t.Error("20000 levels are written")
	}
}

func TestAppendField(t *testing.T) {
	c := edgetest.Contract(t)
	md := c.Message("test.v1.All")
	m := jsonwire.New(c.Types, jsonwire.Options{}).Message(md)
	wire := []byte{0x72, 1, 'x', 0xba, 0x02, 1, 'a', 0xba, 0x02, 1, 'b'}
	apart := append(bytes.Clone(wire), 0x10, 5, 0xba, 0x02, 1, 'c')
	for _, test := range []struct {
		field string
		wire  []byte
		want  string
	}{
		{"f_string", wire, `"x"`},
		{"r_string", wire, `["a","b"]`},
		{"r_string", apart, `["a","b","c"]`},
		{"f_int64", wire, `"0"`},
		{"child", wire, `null`},
		{"child", apart, `null`},
		{"r_child", wire, `[]`},
		{"m_string_child", wire, `{}`},
	} {
		got, err := m.AppendField(nil, test.wire, md.Fields().ByTextName(test.field))
		if err != nil || strings.ReplaceAll(string(got), " ", "") != test.want {
			t.Errorf("%s: %s, %v", test.field, got, err)
		}
	}
	if got, err := m.AppendField([]byte("kept"), []byte{0xff}, md.Fields().ByTextName("child")); err == nil || string(got) != "kept" {
		t.Errorf("malformed: %s, %v", got, err)
	}
}

// proto2's rules: closed enums, extensions, groups, defaults.
func TestProto2GoesByWayOfAMessage(t *testing.T) {
	c, faults := contract.Load(t.Context(), []contract.Root{{Name: "p", FS: fstest.MapFS{"p.proto": {Data: []byte(`syntax = "proto2"; package test.v1;
message All {
  optional E e = 1; optional group G = 2 { optional int32 x = 1; } repeated int32 r = 3; optional string s = 4 [default = "d"];
  optional All all = 5; repeated E es = 6;
  extensions 100 to 200;
}
enum E { A = 1; B = 2; }
extend All { optional int32 ext = 100; }
service S { rpc M(Ok) returns (Ok); }
message Ok {}`)}}}})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	inner := []byte{0x08, 2, 0x08, 9, 0x13, 0x08, 5, 0x14, 0x18, 1, 0xa0, 0x06, 7, 0x30, 1, 0x30, 9}
	for _, opts := range allOptions() {
		cmp := compare(c, opts)
		cmp.check(t, inner)
		cmp.check(t, nil)
		cmp.check(t, append([]byte{0x2a, byte(len(inner))}, inner...))
	}
}

func FuzzWire(f *testing.F) {
	c := edgetest.Contract(f)
	for seed := range uint64(20) {
		m := maker{Rand: rand.New(rand.NewPCG(seed, 2)), types: c.Types, wild: true}.message(c.Message("test.v1.All"), 1)
		wire, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	var comparisons []comparison
	for _, opts := range allOptions() {
		comparisons = append(comparisons, compare(c, opts))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		for _, cmp := range comparisons {
			cmp.check(t, wire)
		}
	})
}
