package openapi_test

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// value makes a value that a schema allows.
func (c *client) value(schema map[string]any, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		return c.value(resolve(c.root, ref), depth)
	}
	if v, ok := schema["const"]; ok {
		return v
	}
	if list, ok := schema["enum"].([]any); ok {
		return list[c.IntN(len(list))]
	}
	if list, ok := schema["anyOf"].([]any); ok {
		at := c.IntN(len(list))
		if depth <= 0 {
			at = len(list) - 1 // null, where that is one of them
		}
		next, _ := list[at].(map[string]any)
		return c.value(next, depth)
	}
	if list, ok := schema["examples"].([]any); ok && (schema["pattern"] == nil || c.IntN(2) == 0) {
		return list[0]
	}
	kind, _ := schema["type"].(string)
	if list, ok := schema["type"].([]any); ok {
		kind, _ = list[c.IntN(len(list))].(string)
	}
	switch kind {
	case "null":
		return nil
	case "boolean":
		return c.IntN(2) == 0
	case "integer":
		least, _ := schema["minimum"].(float64)
		most, _ := schema["maximum"].(float64)
		return int64([]float64{least, most, 0, 1}[c.IntN(4)])
	case "number":
		return []float64{0, -1.5, 1e-7, 12345}[c.IntN(4)]
	case "string":
		return c.text(schema)
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := []any{}
		for range c.IntN(3) {
			if v := c.value(items, depth-1); v != nil && depth > 0 {
				list = append(list, v)
			}
		}
		return list
	case "object":
		return c.object(schema, depth)
	default:
		return []any{"text", 1.5, true, map[string]any{"a": []any{1.0, nil}}, []any{"x"}}[c.IntN(5)]
	}
}

func (c *client) text(schema map[string]any) string {
	pattern, _ := schema["pattern"].(string)
	switch {
	case schema["contentEncoding"] == "base64":
		return base64.StdEncoding.EncodeToString([]byte{0xff, byte(c.IntN(256)), 1, 2}[:c.IntN(5)])
	case schema["format"] == "date-time":
		return "2024-02-29T23:59:59.123456Z"
	case pattern == `^-?[0-9]+$`:
		return []string{"0", "-9223372036854775808", "9223372036854775807", "7"}[c.IntN(4)]
	case pattern == `^[0-9]+$`:
		return []string{"0", "18446744073709551615", "7"}[c.IntN(3)]
	case strings.HasSuffix(pattern, "s$"):
		return "-1.5s"
	case pattern != "":
		return "name,birthDate.year"
	case schema["minLength"] != nil:
		return []string{"a", "7", "a b", "größer", "x-y_z"}[c.IntN(5)]
	}
	return []string{"", "a", "\"\\<b>&\n", "größer 😀", "42"}[c.IntN(5)]
}

func (c *client) object(schema map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range sortedKeys(properties) {
		of, _ := properties[name].(map[string]any)
		needed := slices.Contains(required, any(name))
		if !needed && (of["readOnly"] == true || c.bare || depth <= 0 || c.IntN(2) == 0) {
			continue
		}
		out[name] = c.value(of, depth-1)
	}
	if not, ok := schema["not"].(map[string]any); ok {
		pairs, _ := not["anyOf"].([]any)
		if pairs == nil {
			pairs = []any{not}
		}
		for _, pair := range pairs {
			names, _ := pair.(map[string]any)["required"].([]any)
			first, second := fmt.Sprint(names[0]), fmt.Sprint(names[1])
			_, hasFirst := out[first]
			if _, both := out[second]; both && hasFirst {
				delete(out, second)
			}
		}
	}
	if values, ok := schema["additionalProperties"].(map[string]any); ok && depth > 0 {
		keys := map[string]any{"type": "string"}
		if names, ok := schema["propertyNames"].(map[string]any); ok {
			keys = map[string]any{"type": "string", "pattern": names["pattern"], "enum": names["enum"]}
			for k, v := range keys {
				if v == nil {
					delete(keys, k)
				}
			}
		}
		for range c.IntN(3) {
			key := fmt.Sprint(c.value(keys, 0))
			if strings.HasPrefix(fmt.Sprint(keys["pattern"]), "^") {
				key = []string{"1", "7"}[c.IntN(2)] // whatever number has 32 bits
			}
			if v := c.value(values, depth-1); v != nil {
				out[key] = v
			}
		}
	}
	return out
}

func sortedKeys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// random makes messages of any type, such as have a JSON form.
type random struct {
	*rand.Rand
	types *dynamicpb.Types
}

func (r *random) message(md protoreflect.MessageDescriptor, depth int) protoreflect.Message {
	m := dynamicpb.NewMessage(md)
	fields := md.Fields()
	set := func(name string, v protoreflect.Value) { m.Set(fields.ByName(protoreflect.Name(name)), v) }
	switch md.FullName() {
	case "google.protobuf.Timestamp":
		set("seconds", protoreflect.ValueOfInt64(r.Int64N(4e9)))
		set("nanos", protoreflect.ValueOfInt32(r.Int32N(1e9)))
		return m
	case "google.protobuf.Duration":
		set("seconds", protoreflect.ValueOfInt64(-r.Int64N(4e9)))
		set("nanos", protoreflect.ValueOfInt32(-r.Int32N(1e9)))
		return m
	case "google.protobuf.FieldMask":
		l := m.Mutable(fields.ByName("paths")).List()
		for range r.IntN(3) {
			l.Append(protoreflect.ValueOfString("birth_date.year"))
		}
		return m
	case "google.protobuf.Value":
		set("number_value", protoreflect.ValueOfFloat64(r.NormFloat64()))
		return m
	case "google.protobuf.Any":
		inner, err := r.types.FindMessageByName("google.protobuf.Timestamp")
		if err != nil {
			panic(err)
		}
		wire, err := proto.Marshal(r.message(inner.Descriptor(), 0).Interface())
		if err != nil {
			panic(err)
		}
		set("type_url", protoreflect.ValueOfString("type.googleapis.com/google.protobuf.Timestamp"))
		set("value", protoreflect.ValueOfBytes(wire))
		return m
	}
	for i := range fields.Len() {
		fd := fields.Get(i)
		if r.IntN(3) == 0 || depth <= 0 && fd.Message() != nil {
			continue
		}
		switch {
		case fd.IsList():
			for range r.IntN(3) {
				m.Mutable(fd).List().Append(r.value(fd, depth))
			}
		case fd.IsMap():
			for range r.IntN(3) {
				m.Mutable(fd).Map().Set(r.value(fd.MapKey(), 0).MapKey(), r.value(fd.MapValue(), depth))
			}
		default:
			m.Set(fd, r.value(fd, depth))
		}
	}
	return m
}

func (r *random) value(fd protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(r.IntN(values.Len())).Number())
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(r.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(r.Uint32())
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(r.Uint64()))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(r.Uint64())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(r.float()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(r.float())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0xff, byte(r.IntN(256)), 1, 2}[:r.IntN(5)])
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "a", "\"\\<b>&\n", "größer 😀"}[r.IntN(4)])
	default:
		return protoreflect.ValueOfMessage(r.message(fd.Message(), depth-1))
	}
}

func (r *random) float() float64 {
	return []float64{0, -1.5, 1e-7, 1e20, math.NaN(), math.Inf(1), math.Inf(-1), r.NormFloat64()}[r.IntN(8)]
}
