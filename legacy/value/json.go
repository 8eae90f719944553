package value

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// jsonMessageEncoder reads the column as the message's JSON (protojson: both names of a field are understood, unknown
// ones are refused). JSON's null leaves the field unset, except in google.protobuf.Value, which can hold it.
func (c *Codec) jsonMessageEncoder(col Column, fd protoreflect.FieldDescriptor) Encoder {
	md := fd.Message()
	f := fieldOf(fd, false)
	holdsNull := md.FullName() == "google.protobuf.Value"
	free := freeForm(md)
	opts := protojson.UnmarshalOptions{Resolver: c.Types}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		s, ok := textOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		if !holdsNull && isJSONNull(s) {
			return b, nil
		}
		if err := checkNumbers(s, free); err != nil {
			return b, misfit(col, f, "the JSON text is no %s: %w", md.FullName(), err)
		}
		m := dynamicpb.NewMessage(md)
		if err := opts.Unmarshal(s, m); err != nil {
			return b, misfit(col, f, "the JSON text is no %s: %w", md.FullName(), err)
		}
		at := len(b)
		b, start := beginMessage(b, f.num)
		b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
		if err != nil {
			return b[:at], misfit(col, f, "the JSON text is no %s: %w", md.FullName(), err)
		}
		return endMessage(b, start), nil
	}
}

// jsonEncoder reads the column as the JSON value of a repeated or map field. It is read as the only field of its
// message, whose wire form is then the field's records and nothing else.
func (c *Codec) jsonEncoder(col Column, fd protoreflect.FieldDescriptor) Encoder {
	parent := fd.ContainingMessage()
	f := fieldOf(fd, false)
	name, _ := json.Marshal(fd.JSONName()) // a string always marshals
	opening := append(append([]byte{'{'}, name...), ':')
	element := fd
	if fd.IsMap() {
		element = fd.MapValue()
	}
	free := element.Message() != nil && freeForm(element.Message())
	opts := protojson.UnmarshalOptions{Resolver: c.Types}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		s, ok := textOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		if !json.Valid(s) { // else it could close the object around it and fill other fields
			return b, misfit(col, f, "the text is not valid JSON")
		}
		if err := checkNumbers(s, free); err != nil {
			return b, misfit(col, f, "the JSON text is no %s: %w", describe(fd), err)
		}
		object := make([]byte, 0, len(opening)+len(s)+1)
		object = append(append(append(object, opening...), s...), '}')
		m := dynamicpb.NewMessage(parent)
		if err := opts.Unmarshal(object, m); err != nil {
			return b, misfit(col, f, "the JSON text is no %s: %w", describe(fd), err)
		}
		at := len(b)
		b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
		if err != nil {
			return b[:at], misfit(col, f, "the JSON text is no %s: %w", describe(fd), err)
		}
		return b, nil
	}
}

func isJSONNull(s []byte) bool { return string(bytes.TrimSpace(s)) == "null" }

// freeForm tells whether a message holds any JSON, its numbers as doubles.
func freeForm(md protoreflect.MessageDescriptor) bool {
	switch md.FullName() {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
		return true
	}
	return false
}

// checkNumbers refuses numbers that a double would change, where doubles are what holds them. Text that is not JSON
// passes: protojson says more about it.
func checkNumbers(s []byte, free bool) error {
	if !free {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(s))
	dec.UseNumber()
	for {
		tok, err := dec.Token()
		if err != nil {
			return nil //nolint:nilerr // the end, or not JSON
		}
		if n, ok := tok.(json.Number); ok && !exactDouble(string(n)) {
			return refuse("the number "+string(n)+" has more digits than a double holds",
				"use a string field for the JSON text, or a message with an int64 field")
		}
	}
}

// exactDouble tells whether a decimal number comes back the same, as a number, after a double has held it.
func exactDouble(s string) bool {
	d, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return false
	}
	digits, exponent := significant(s)
	backDigits, backExponent := significant(strconv.FormatFloat(d, 'e', -1, 64))
	return digits == backDigits && (digits == "" || exponent == backExponent)
}
