package value

import (
	"database/sql/driver"
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// FuzzEncoders: whatever bytes a column gives, what is appended is a message with this field alone, or nothing.
func FuzzEncoders(f *testing.F) {
	fields := message(f, "All").Fields()
	for i, seed := range []string{"1", "-838:59:59.999999", "2024-02-29 23:59:59.1", "0000-00-00", "12.50", `{"a":[1]}`, `[],"str":"x"`, "\xff", "PENDING,A"} {
		f.Add(uint8(i), uint8(i), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, typ, field uint8, raw []byte) {
		fd := fields.Get(int(field) % fields.Len())
		col := Column{Name: "c", Type: everyType[int(typ)%len(everyType)]}
		enc, err := testCodec().Encoder(col, fd)
		if err != nil {
			return
		}
		wire, err := enc(nil, raw)
		if err != nil {
			if len(wire) != 0 {
				t.Fatalf("%s %q into %s fails and leaves %x", col.Type, raw, fd.Name(), wire)
			}
			return
		}
		m := dynamicpb.NewMessage(message(t, "All"))
		if err := proto.Unmarshal(wire, m); err != nil {
			t.Fatalf("%s %q into %s is %x: %v", col.Type, raw, fd.Name(), wire, err)
		}
		m.Range(func(other protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if other != fd {
				t.Fatalf("%s %q into %s fills %s", col.Type, raw, fd.Name(), other.Name())
			}
			return true
		})
		if len(m.GetUnknown()) > 0 {
			t.Fatalf("%s %q into %s leaves unknown fields", col.Type, raw, fd.Name())
		}
	})
}

// FuzzDecimal: canonical text is plain, at most 65 digits, and canonical again.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"+007.50", "-.5", "5.", "12.5e-3", "0e99999999999", "1e65", "1e+-1", "--1", "-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, err := canonicalDecimal(s)
		if err != nil {
			return
		}
		d, ok := parsePlain([]byte(text))
		if !ok || d.wholeDigits()+d.scale() > maxDigits {
			t.Fatalf("%q is %q, which is not plain", s, text)
		}
		if again, err := canonicalDecimal(text); err != nil || again != text {
			t.Fatalf("%q is %q, which is %q, %v", s, text, again, err)
		}
		digits, exponent := significant(s)
		backDigits, backExponent := significant(text)
		if digits != backDigits || digits != "" && exponent != backExponent {
			t.Fatalf("%q is %q, another number", s, text)
		}
		if units, nanos, err := d.unitsNanos(); err == nil {
			if back := decimalText(units, int64(nanos)); !sameNumber(back, text) {
				t.Fatalf("%q is %d and %d nanos, which is %q", text, units, nanos, back)
			}
		}
	})
}

func sameNumber(a, b string) bool {
	digitsA, exponentA := significant(a)
	digitsB, exponentB := significant(b)
	return digitsA == digitsB && (digitsA == "" || exponentA == exponentB && strings.HasPrefix(a, "-") == strings.HasPrefix(b, "-"))
}

// FuzzClock: a TIME that is read into a Duration is written back as it was.
func FuzzClock(f *testing.F) {
	for _, s := range []string{"-838:59:59.999999", "00:00:00", "-00:00:00.5", "24:00:00", "1:2:3", "100:00:00."} {
		f.Add(s)
	}
	fd := fieldNamed(f, "dur")
	read, err := testCodec().Encoder(Column{Name: "c", Type: "TIME"}, fd)
	if err != nil {
		f.Fatal(err)
	}
	write, err := testCodec().Binder(fd, "", &Column{Name: "c", Type: "TIME"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		wire, err := read(nil, s)
		if err != nil {
			return
		}
		text, err := write(decode(t, wire).Get(fd))
		if err != nil {
			t.Fatalf("%q is read but not written: %v", s, err)
		}
		first, _, _ := parseClock([]byte(s))
		second, _, ok := parseClock([]byte(show(text)))
		if first.seconds == 0 && first.nanos == 0 {
			first.neg = false
		}
		if !ok || first != second {
			t.Fatalf("%q comes back as %v", s, text)
		}
	})
}

// FuzzCivil: a date and time is read only when it is one, and is written back as it was.
func FuzzCivil(f *testing.F) {
	for _, s := range []string{"2024-02-29 23:59:59.999999", "0001-01-01 00:00:00", "2023-02-29 00:00:00", "0000-00-00 00:00:00", "9999-12-31 23:59:59."} {
		f.Add(s)
	}
	fd := fieldNamed(f, "ts")
	codec := &Codec{Zone: zoneNamed(f, "Europe/Berlin")}
	read, err := codec.Encoder(Column{Name: "c", Type: "DATETIME"}, fd)
	if err != nil {
		f.Fatal(err)
	}
	write, err := codec.Binder(fd, "", &Column{Name: "c", Type: "DATETIME"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		wire, err := read(nil, s)
		if err != nil {
			return
		}
		text, err := write(decode(t, wire).Get(fd))
		if err != nil {
			t.Fatalf("%q is read but not written: %v", s, err)
		}
		first, _, _ := parseCivil([]byte(s))
		second, _, ok := parseCivil([]byte(show(text)))
		if !ok || first != second {
			t.Fatalf("%q comes back as %v", s, text)
		}
	})
}

// FuzzJSON: JSON that goes into a Struct comes out as the same JSON.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,null,"x",{"b":1e3}]}`, `{"n":9007199254740993}`, `{"n":0.1}`, `{"a":1,"a":2}`, `{} {}`, `{"n":1e400}`} {
		f.Add(s)
	}
	fd := fieldNamed(f, "object")
	read, err := testCodec().Encoder(Column{Name: "c", Type: "JSON"}, fd)
	if err != nil {
		f.Fatal(err)
	}
	write, err := testCodec().Binder(fd, "json", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		wire, err := read(nil, s)
		if err != nil || len(wire) == 0 {
			return
		}
		text, err := write(decode(t, wire).Get(fd))
		if err != nil {
			t.Fatalf("%q is read but not written: %v", s, err)
		}
		var was, is any
		if err := json.Unmarshal([]byte(s), &was); err != nil {
			t.Fatalf("%q is no JSON: %v", s, err)
		}
		if err := json.Unmarshal([]byte(show(text)), &is); err != nil {
			t.Fatalf("%q is written as %q: %v", s, text, err)
		}
		a, _ := json.Marshal(was)
		b, _ := json.Marshal(is)
		if string(a) != string(b) {
			t.Fatalf("%s comes back as %s", a, b)
		}
	})
}

// FuzzToken: a token that is taken gives a value whose token is the same.
func FuzzToken(f *testing.F) {
	f.Add(uint8(0), []byte("i\x01"))
	f.Add(uint8(1), []byte("u\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Add(uint8(4), []byte("s12.50"))
	f.Add(uint8(12), []byte("s2024-01-01 00:00:00"))
	f.Fuzz(func(t *testing.T, typ uint8, b []byte) {
		col := Column{Name: "c", Type: everyType[int(typ)%len(everyType)]}
		var v driver.Value
		v, err := testCodec().FromToken(col, b)
		if err != nil {
			return
		}
		again, err := testCodec().TokenValue(col, v)
		if err != nil {
			t.Fatalf("%s %v has no token: %v", col.Type, v, err)
		}
		if back, err := testCodec().FromToken(col, again); err != nil || show(back) != show(v) {
			t.Fatalf("%s %v comes back as %v, %v", col.Type, v, back, err)
		}
	})
}
