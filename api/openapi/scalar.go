package openapi

import (
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// scalar makes the schema of a value that is no message and no enum. Numbers have examples, or pages make up the least
// that is allowed.
func scalar(kind protoreflect.Kind) *schema {
	switch kind {
	case protoreflect.BoolKind:
		return &schema{Type: typeBoolean}
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return bounded("int32", math.MinInt32, math.MaxInt32)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return bounded("uint32", 0, math.MaxUint32)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return &schema{Type: typeString, Format: "int64", Pattern: `^-?[0-9]+$`, Examples: []any{"42"}}
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return &schema{Type: typeString, Format: "uint64", Pattern: `^[0-9]+$`, Examples: []any{"42"}}
	case protoreflect.FloatKind:
		return number("float")
	case protoreflect.DoubleKind:
		return number("double")
	case protoreflect.BytesKind:
		return &schema{Type: typeString, ContentEncoding: "base64"}
	default:
		return &schema{Type: typeString}
	}
}

func bounded(format string, least, most int64) *schema {
	return &schema{Type: typeInteger, Format: format, Minimum: &least, Maximum: &most, Examples: []any{1}}
}

// number is a float with what JSON's numbers can't say.
func number(format string) *schema {
	return &schema{AnyOf: []*schema{
		{Type: typeNumber, Format: format},
		{Type: typeString, Enum: []any{"NaN", "Infinity", "-Infinity"}},
	}}
}

// keySchema makes the schema of a map's keys, which JSON has as text; nil when any text is one.
func keySchema(fd protoreflect.FieldDescriptor) *schema {
	switch s := scalar(fd.Kind()); s.Type {
	case typeBoolean:
		return &schema{Enum: []any{"true", "false"}}
	case typeInteger:
		if *s.Minimum == 0 {
			return &schema{Pattern: `^[0-9]+$`}
		}
		return &schema{Pattern: `^-?[0-9]+$`}
	default:
		if s.Pattern == "" {
			return nil
		}
		return &schema{Pattern: s.Pattern}
	}
}

// isGoogles tells whether a message is one of Google's own types, which are values and not groups of fields.
func isGoogles(md protoreflect.MessageDescriptor) bool {
	const prefix = "google."
	name := md.FullName()
	return len(name) > len(prefix) && name[:len(prefix)] == prefix
}

// wellKnown makes the schema of a message that has a JSON form of its own; nil for all others.
func wellKnown(md protoreflect.MessageDescriptor) *schema {
	if md.FullName().Parent() != "google.protobuf" {
		return nil
	}
	switch md.Name() {
	case "Timestamp":
		return &schema{Type: typeString, Format: "date-time", Examples: []any{"2024-12-20T12:29:16Z"}}
	case "Duration":
		return &schema{Type: typeString, Pattern: `^-?[0-9]+(\.[0-9]{1,9})?s$`, Examples: []any{"1.5s"}}
	case "FieldMask":
		const field = `[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)*`
		return &schema{Type: typeString, Pattern: `^(` + field + `(,` + field + `)*)?$`, Examples: []any{"displayName,address.city"}}
	case "Struct":
		return &schema{Type: typeObject}
	case "Value":
		return &schema{}
	case "ListValue":
		return &schema{Type: typeArray, Items: &schema{}}
	case "Any":
		return &schema{Type: typeObject, Properties: members[*schema]{
			{"@type", &schema{Type: typeString, Description: "The type of the message, such as type.googleapis.com/google.rpc.ErrorInfo."}},
		}, Examples: []any{members[string]{{"@type", "type.googleapis.com/google.rpc.ErrorInfo"}, {"reason", "OUT_OF_STOCK"}}}}
	case "Empty":
		return &schema{Type: typeObject}
	case "BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue", "StringValue", "BytesValue":
		return scalar(md.Fields().ByNumber(1).Kind())
	}
	return nil
}
