package rest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// value reads a value of the query: a scalar, or one of the messages that can be written in one piece.
func (q *query) value(fd protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	if fd.Message() == nil {
		return parseScalar(fd, text)
	}
	md := fd.Message()
	if md.FullName().Parent() != "google.protobuf" {
		return protoreflect.Value{}, fmt.Errorf("it is a message; set its fields, such as %s.%s=…", fd.Name(), firstField(md))
	}
	m := dynamicpb.NewMessage(md)
	switch md.Name() {
	case "BoolValue", "Int32Value", "Int64Value", "UInt32Value", "UInt64Value", "FloatValue", "DoubleValue", "StringValue", "BytesValue":
		of := md.Fields().ByNumber(1)
		v, err := parseScalar(of, text)
		if err != nil {
			return protoreflect.Value{}, err
		}
		m.Set(of, v)
	case "Timestamp":
		if err := q.json(m, strconv.Quote(text)); err != nil {
			return protoreflect.Value{}, fmt.Errorf("%s is no time; write it as RFC 3339, such as 2026-01-31T12:00:00Z", shown(text))
		}
	case "Duration":
		if err := q.duration(m, text); err != nil {
			return protoreflect.Value{}, fmt.Errorf("%s is no duration; write such as 1.5s", shown(text))
		}
	case "FieldMask":
		if err := setMask(m, text); err != nil {
			return protoreflect.Value{}, err
		}
	case "Struct", "Value", "ListValue":
		if err := q.json(m, text); err != nil {
			return protoreflect.Value{}, fmt.Errorf("%s is no JSON of a %s", shown(text), md.Name())
		}
	case "Empty":
		if text != "" && text != "{}" {
			return protoreflect.Value{}, errors.New("it has no content; write {} or nothing")
		}
	default:
		return protoreflect.Value{}, fmt.Errorf("a %s can't be written as a query parameter", md.FullName())
	}
	return protoreflect.ValueOfMessage(m), nil
}

func (q *query) json(m proto.Message, text string) error {
	return q.decode.Unmarshal([]byte(text), m)
}

// duration takes JSON's form, and Go's ("1h30m") as grpc-gateway does.
func (q *query) duration(m proto.Message, text string) error {
	err := q.json(m, strconv.Quote(text))
	if err == nil {
		return nil
	}
	d, goErr := time.ParseDuration(text)
	if goErr != nil {
		return err
	}
	return q.json(m, strconv.Quote(strconv.FormatFloat(d.Seconds(), 'f', 9, 64)+"s"))
}

// setMask takes paths with commas between them, in the names of the .proto file or of JSON.
func setMask(m *dynamicpb.Message, text string) error {
	if text == "" {
		return nil
	}
	paths := m.Mutable(m.Descriptor().Fields().ByName("paths")).List()
	for _, p := range strings.Split(text, ",") {
		snake := snakeCase(strings.TrimSpace(p))
		if p != "*" && !protoreflect.FullName(snake).IsValid() {
			return fmt.Errorf("%s is no field path", shown(p))
		}
		paths.Append(protoreflect.ValueOfString(snake))
	}
	return nil
}

// snakeCase turns lowerCamelCase into the .proto file's names, as JSON's mapping of FieldMask does.
func snakeCase(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

func firstField(md protoreflect.MessageDescriptor) string {
	if md.Fields().Len() == 0 {
		return "field"
	}
	return string(md.Fields().Get(0).Name())
}
