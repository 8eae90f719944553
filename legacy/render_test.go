package legacy

import (
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/strangler"
)

const renderProto = `syntax = "proto3"; package lab.v1;
message Line { string sku = 1; map<string, string> tags = 2; }
message Req { string a = 1; string b = 2; repeated string list = 3; repeated Line lines = 4; Line line = 5; map<string, string> tags = 6; string order_by = 7; bytes raw = 8; }
message Rep { string a = 1; }
service S { rpc Do(Req) returns (Rep); }`

const renderSQL = `-- rpc: lab.v1.S.Do
-- name: q :many into=-
SELECT a FROM t WHERE a = :a AND b LIKE :prefix(b) AND c LIKE :contains(b) AND d IN (:list) AND e = :json(tags)
 AND f = :line.sku -- ?
 AND g = :raw      -- ?
 ORDER BY a        -- if: order_by != "x"
 ORDER BY b        -- if: order_by == "x"
;
-- name: w :exec each=lines as=l
INSERT INTO t (a, n) VALUES (:l.sku, :l._number);
-- name: x :exec each=tags as=tag
-- expect: 1 else ABORTED GONE "{tag.key}"
UPDATE t SET a = :tag.value, b = :auth.sub WHERE k = :tag.key;
-- name: done :reply a=:a
`

// FuzzRequestNeverBecomesSQL renders every statement for any request: the text is made of the file's own lines and of
// placeholders, and never of what the caller sent.
func FuzzRequestNeverBecomesSQL(f *testing.F) {
	c, faults := contract.Load(f.Context(), []contract.Root{{FS: fstest.MapFS{"lab.proto": {Data: []byte(renderProto)}}}})
	file, parsed := annotated.Parse("lab.sql", []byte(renderSQL))
	faults.Append(parsed)
	p, bound := Compile(c, []*annotated.File{file}, Options{})
	faults.Append(bound)
	if err := faults.Err(); err != nil {
		f.Fatal(err)
	}
	op := p.ops["lab.v1.S.Do"]
	f.Add("a'; DROP TABLE t; --", "50%_\\", "x", 3, []byte{0xff, 0})
	f.Add("", "", "", 0, []byte(nil))
	f.Fuzz(func(t *testing.T, a, b, order string, n int, raw []byte) {
		a, b, order = strings.ToValidUTF8(a, ""), strings.ToValidUTF8(b, ""), strings.ToValidUTF8(order, "")
		n = max(n, -n) % 100
		req := fuzzRequest(op.input, a, b, order, max(n, 0), raw)
		call := &strangler.Call{Claims: map[string]any{"sub": a}}
		r, err := New(p, nil, 1<<20).start(op, call, input{message: req})
		if err != nil {
			t.Fatal(err)
		}
		defer r.free()
		for _, s := range op.statements {
			if s.ast.Kind == annotated.Reply {
				continue
			}
			elements := []element{{}}
			if s.each != nil {
				elements = s.each.elements(r)
			}
			for _, r.element = range elements {
				v, err := s.choose(r)
				if err != nil {
					t.Fatal(err)
				}
				sql, err := s.render(r, v)
				if err != nil {
					continue // refused: a clear error, and nothing is sent
				}
				onlyOwnText(t, sql, v)
				if got := strings.Count(sql, "?"); got != len(r.args) {
					t.Fatalf("%d placeholders for %d arguments:\n%s", got, len(r.args), sql)
				}
			}
		}
	})
}

// onlyOwnText takes the statement's own pieces off the text, in order; what is left between them must be placeholders.
func onlyOwnText(t *testing.T, sql string, v *variant) {
	t.Helper()
	rest := sql
	for _, p := range v.pieces {
		if p.param != nil {
			if after, ok := strings.CutPrefix(rest, "SELECT NULL FROM DUAL WHERE FALSE"); ok {
				rest = after
				continue
			}
			rest = strings.TrimPrefix(rest, "?")
			for p.param.list && strings.HasPrefix(rest, ",?") {
				rest = rest[2:]
			}
			continue
		}
		after, ok := strings.CutPrefix(rest, p.text)
		if !ok {
			t.Fatalf("%q does not follow in %q", p.text, sql)
		}
		rest = after
	}
	if rest != "" {
		t.Fatalf("%q is left of %q", rest, sql)
	}
}

func fuzzRequest(md protoreflect.MessageDescriptor, a, b, order string, n int, raw []byte) protoreflect.Message {
	m := dynamicpb.NewMessage(md)
	field := func(name string) protoreflect.FieldDescriptor { return md.Fields().ByName(protoreflect.Name(name)) }
	m.Set(field("a"), protoreflect.ValueOfString(a))
	m.Set(field("b"), protoreflect.ValueOfString(b))
	m.Set(field("order_by"), protoreflect.ValueOfString(order))
	m.Set(field("raw"), protoreflect.ValueOfBytes(raw))
	lines := m.Mutable(field("lines")).List()
	list := m.Mutable(field("list")).List()
	tags := m.Mutable(field("tags")).Map()
	for i := range n {
		l := lines.AppendMutable().Message()
		l.Set(l.Descriptor().Fields().ByName("sku"), protoreflect.ValueOfString(b))
		list.Append(protoreflect.ValueOfString(a))
		tags.Set(protoreflect.ValueOfString(a+string(rune('a'+i%26))).MapKey(), protoreflect.ValueOfString(b))
	}
	if n > 0 {
		line := m.Mutable(field("line")).Message()
		line.Set(line.Descriptor().Fields().ByName("sku"), protoreflect.ValueOfString(a))
	}
	return m
}
