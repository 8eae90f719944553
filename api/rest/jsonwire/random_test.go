package jsonwire_test

import (
	"math"
	"math/rand/v2"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// maker makes random messages, mostly such that have a JSON form.
type maker struct {
	*rand.Rand
	types *dynamicpb.Types
	wild  bool // also make what has no JSON form
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func (r maker) message(md protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	m := dynamicpb.NewMessage(md)
	r.fill(m, depth)
	return m
}

func (r maker) fill(m protoreflect.Message, depth int) {
	md := m.Descriptor()
	fields := md.Fields()
	switch md.FullName() {
	case "google.protobuf.Timestamp", "google.protobuf.Duration":
		r.instant(m)
		return
	case "google.protobuf.FieldMask":
		l := m.Mutable(fields.ByName("paths")).List()
		for range r.IntN(3) {
			l.Append(protoreflect.ValueOfString(pick(r.Rand, "name", "a_b.c_d", "labels", "x1")))
		}
		if r.wild && r.IntN(5) == 0 {
			l.Append(protoreflect.ValueOfString("Not_OK__"))
		}
		return
	case "google.protobuf.Value":
		if depth <= 0 {
			m.Set(fields.ByName("bool_value"), protoreflect.ValueOfBool(true))
			return
		}
		f := fields.Get(r.IntN(fields.Len()))
		if f.Name() == "number_value" && !r.wild {
			m.Set(f, protoreflect.ValueOfFloat64(r.NormFloat64()))
			return
		}
		m.Set(f, r.singular(f, depth-1))
		return
	case "google.protobuf.Any":
		if r.IntN(4) == 0 {
			return
		}
		name := pick(r.Rand, protoreflect.FullName("test.v1.Child"), "google.protobuf.Timestamp", "google.protobuf.Int64Value", "google.protobuf.Empty")
		mt, err := r.types.FindMessageByName(name)
		if err != nil {
			panic(err)
		}
		inner := r.message(mt.Descriptor(), depth-1)
		b, _ := proto.Marshal(inner)
		m.Set(fields.ByName("type_url"), protoreflect.ValueOfString("type.googleapis.com/"+string(name)))
		m.Set(fields.ByName("value"), protoreflect.ValueOfBytes(b))
		return
	}
	for i := range fields.Len() {
		f := fields.Get(i)
		if r.IntN(3) == 0 || depth <= 0 && f.Message() != nil {
			continue
		}
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() && r.IntN(3) != 0 {
			continue
		}
		switch {
		case f.IsList():
			l := m.Mutable(f).List()
			for range r.IntN(4) {
				l.Append(r.singular(f, depth-1))
			}
		case f.IsMap():
			mm := m.Mutable(f).Map()
			for range r.IntN(5) {
				mm.Set(r.singular(f.MapKey(), 0).MapKey(), r.singular(f.MapValue(), depth-1))
			}
		default:
			m.Set(f, r.singular(f, depth-1))
		}
	}
}

func (r maker) instant(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	nanos := pick(r.Rand, 0, 0, 1, 999_999_999, 120_000_000, 123_456_000, int32(r.IntN(1e9)))
	var seconds int64
	if m.Descriptor().Name() == "Timestamp" {
		seconds = pick(r.Rand, 0, -1, -62135596800, 253402300799, 951782400, 951868799, -2208988800, r.Int64N(253402300799+62135596800)-62135596800)
		if r.wild {
			seconds = pick(r.Rand, seconds, seconds, 253402300800, -62135596801, math.MinInt64)
		}
	} else {
		seconds = pick(r.Rand, 0, 1, 315576000000, r.Int64N(1e9))
		if r.IntN(2) == 0 {
			seconds, nanos = -seconds, -nanos
		}
	}
	if r.wild {
		nanos = pick(r.Rand, nanos, nanos, -nanos, math.MaxInt32)
	}
	m.Set(fields.ByName("seconds"), protoreflect.ValueOfInt64(seconds))
	m.Set(fields.ByName("nanos"), protoreflect.ValueOfInt32(nanos))
}

func (r maker) singular(f protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(pick(r.Rand, 0, 1, -3, 2, 77, math.MinInt32)))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(pick(r.Rand, 0, 1, -1, math.MaxInt32, math.MinInt32, int32(r.Uint32())))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(pick(r.Rand, 0, 1, math.MaxUint32, r.Uint32()))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(pick(r.Rand, 0, 1, -1, math.MaxInt64, math.MinInt64, 1<<53+1, int64(r.Uint64())))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(pick(r.Rand, 0, 1, math.MaxUint64, 1<<53+1, r.Uint64()))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(r.float()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(r.float())
	case protoreflect.BytesKind:
		b := make([]byte, r.IntN(6))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return protoreflect.ValueOfBytes(b)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(pick(r.Rand, "", "a", "plain text", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "<b>&", "größer 😀 \u2028", "\ufffd"))
	default:
		m := dynamicpb.NewMessage(f.Message())
		r.fill(m, depth)
		return protoreflect.ValueOfMessage(m)
	}
}

func (r maker) float() float64 {
	return pick(r.Rand, 0, math.Copysign(0, -1), 1, -1.5, 1e-7, 1e-9, 1e-6, 1e20, 1e21, 1e22, 123456789, math.MaxFloat64, math.SmallestNonzeroFloat64,
		math.NaN(), math.Inf(1), math.Inf(-1), r.NormFloat64(), float64(math.MaxFloat32))
}

// shuffle puts the records of a wire form into another order.
func shuffle(r *rand.Rand, wire []byte) []byte {
	var records [][]byte
	for b := wire; len(b) > 0; {
		_, _, n := protowire.ConsumeField(b)
		records = append(records, b[:n])
		b = b[n:]
	}
	r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	var out []byte
	for _, rec := range records {
		out = append(out, rec...)
	}
	return out
}
