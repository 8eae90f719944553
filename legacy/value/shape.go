package value

import "google.golang.org/protobuf/reflect/protoreflect"

// shape groups the fields whose values are handled alike.
type shape int

const (
	shapeBool shape = iota
	shapeInt
	shapeFloat
	shapeDouble
	shapeString
	shapeBytes
	shapeEnum
	shapeTimestamp
	shapeDuration
	shapeDate
	shapeTimeOfDay
	shapeMoney
	shapeDecimal
	shapeWrapper
	shapeFieldMask
	shapeMessage
	shapeGroup
)

// shapeOf sorts a field by what one element of it holds.
func shapeOf(fd protoreflect.FieldDescriptor) shape {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return shapeBool
	case protoreflect.FloatKind:
		return shapeFloat
	case protoreflect.DoubleKind:
		return shapeDouble
	case protoreflect.StringKind:
		return shapeString
	case protoreflect.BytesKind:
		return shapeBytes
	case protoreflect.EnumKind:
		return shapeEnum
	case protoreflect.GroupKind:
		return shapeGroup
	case protoreflect.MessageKind:
		return messageShape(fd.Message())
	default:
		return shapeInt
	}
}

func messageShape(md protoreflect.MessageDescriptor) shape {
	switch md.FullName() {
	case "google.protobuf.Timestamp":
		return shapeTimestamp
	case "google.protobuf.Duration":
		return shapeDuration
	case "google.type.Date":
		return shapeDate
	case "google.type.TimeOfDay":
		return shapeTimeOfDay
	case "google.type.Money":
		return shapeMoney
	case "google.type.Decimal":
		return shapeDecimal
	case "google.protobuf.FieldMask":
		return shapeFieldMask
	case "google.protobuf.BoolValue", "google.protobuf.StringValue", "google.protobuf.BytesValue",
		"google.protobuf.FloatValue", "google.protobuf.DoubleValue", "google.protobuf.Int32Value",
		"google.protobuf.Int64Value", "google.protobuf.UInt32Value", "google.protobuf.UInt64Value":
		return shapeWrapper
	}
	return shapeMessage
}

// describe names a field's type as its .proto does: "repeated string", "google.type.Money".
func describe(fd protoreflect.FieldDescriptor) string {
	if fd.IsMap() {
		return "map<" + describe(fd.MapKey()) + ", " + describe(fd.MapValue()) + ">"
	}
	var s string
	switch {
	case fd.Enum() != nil:
		s = string(fd.Enum().FullName())
	case fd.Message() != nil:
		s = string(fd.Message().FullName())
	default:
		s = fd.Kind().String()
	}
	if fd.IsList() {
		return "repeated " + s
	}
	return s
}
