package alltypes

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// field is a kind of field, and how a value in an event compares with it.
type field struct {
	// name stands in the table of reasons and in documentation. proto is the field's type in the contract, with optional
	// or repeated.
	name, proto string
	// put is the parameter that writes the field; empty: :value. unput is why annotated SQL can't write it.
	put, unput string
	// about is what documentation says of the field.
	about string
	// want makes of an event's value, as encoding/json with UseNumber has it, what the field has as JSON.
	want func(in *scene, event any) (any, error)
	// same brings both to one form before they are compared; nil: as they are.
	same func(v any) (any, error)
}

// scene is what a comparison depends on besides the value.
type scene struct {
	column *column
	zone   *time.Location
}

var (
	int32Field  = &field{name: "int32", proto: "optional int32", want: number}
	uint32Field = &field{name: "uint32", proto: "optional uint32", want: number}
	int64Field  = &field{name: "int64", proto: "optional int64", want: digits}
	uint64Field = &field{name: "uint64", proto: "optional uint64", want: digits}
	boolField   = &field{name: "bool", proto: "optional bool", want: boolean}
	floatField  = &field{name: "float", proto: "optional float", want: single, same: single32}
	doubleField = &field{name: "double", proto: "optional double", want: double, same: double64}
	stringField = &field{name: "string", proto: "optional string", want: text}
	bytesField  = &field{name: "bytes", proto: "optional bytes", want: octetsOf}
	enumField   = &field{name: "enum", proto: "optional Size", want: member}
	listField   = &field{name: "repeated string", proto: "repeated string", want: list, about: "NULL and the empty set are the same in it", unput: "a list is no single value in SQL, so it is written by a string field"}

	decimalField   = &field{name: "Decimal", proto: "google.type.Decimal", want: decimal}
	moneyField     = &field{name: "Money", proto: "google.type.Money", want: money, same: withoutZeros}
	timestampField = &field{name: "Timestamp", proto: "google.protobuf.Timestamp", want: moment, same: instant}
	durationField  = &field{name: "Duration", proto: "google.protobuf.Duration", want: duration, same: duration64}
	dateField      = &field{name: "Date", proto: "google.type.Date", want: date, same: withoutZeros}
	timeOfDayField = &field{name: "TimeOfDay", proto: "google.type.TimeOfDay", want: timeOfDay, same: withoutZeros}
	structField    = &field{name: "Struct", proto: "google.protobuf.Struct", put: ":json(value)", want: document, same: doubles}
	valueField     = &field{name: "Value", proto: "google.protobuf.Value", put: ":json(value)", about: "NULL is `null` over REST, as JSON's null is", want: document, same: doubles}
)

// digitsOf gives an integer's digits, which are a number or a string in events.
func digitsOf(event any) (string, error) {
	switch v := event.(type) {
	case json.Number:
		return v.String(), nil
	case string:
		return v, nil
	}
	return "", fmt.Errorf("%v is no integer", event)
}

func number(_ *scene, event any) (any, error) {
	s, err := digitsOf(event)
	return json.Number(s), err
}

func digits(_ *scene, event any) (any, error) {
	return digitsOf(event)
}

func boolean(_ *scene, event any) (any, error) {
	s, err := digitsOf(event)
	return s == "1", err
}

// A FLOAT in an event has the digits that tell floats apart. A double field has the same number, with more digits.
func single(in *scene, event any) (any, error) {
	return float(in, event, 32, 32)
}

func double(in *scene, event any) (any, error) {
	if strings.HasPrefix(in.column.ddl, "FLOAT") {
		return float(in, event, 32, 64)
	}
	return float(in, event, 64, 64)
}

// float reads a number of so many bits, and shows it as the shortest of its own bits.
func float(_ *scene, event any, bits, shown int) (any, error) {
	n, ok := event.(json.Number)
	if !ok {
		return nil, fmt.Errorf("%v is no number", event)
	}
	f, err := strconv.ParseFloat(n.String(), bits)
	return json.Number(strconv.FormatFloat(f, 'g', -1, shown)), err
}

func single32(v any) (any, error) { return float(nil, v, 32, 32) }
func double64(v any) (any, error) { return float(nil, v, 64, 64) }

func text(in *scene, event any) (any, error) {
	if in.column.document && in.column.on == "mysql" {
		text, err := json.Marshal(unwrapped(event))
		return string(text), err
	}
	switch v := event.(type) {
	case string:
		if in.column.is("TIMESTAMP") && strings.HasSuffix(v, "Z") {
			return wallClock(v, in.zone)
		}
		if in.column.event == someBytes {
			return address(in.column, v)
		}
		return v, nil
	case json.Number:
		if in.column.is("YEAR") {
			return fmt.Sprintf("%04s", v), nil
		}
		return v.String(), nil
	}
	return nil, fmt.Errorf("%v is no text", event)
}

// wallClock gives a TIMESTAMP as MySQL shows it in a session's zone, with the decimals that the event has.
func wallClock(event string, zone *time.Location) (string, error) {
	t, err := time.Parse(time.RFC3339Nano, event)
	if err != nil {
		return "", err
	}
	layout := time.DateTime
	if _, fraction, ok := strings.Cut(event, "."); ok {
		layout += "." + strings.Repeat("0", len(fraction)-1)
	}
	return t.In(zone).Format(layout), nil
}

func octetsOf(in *scene, event any) (any, error) {
	s, ok := event.(string)
	switch {
	case !ok:
		return nil, fmt.Errorf("%v is no string", event)
	case in.column.bits > 0:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return nil, err
		}
		raw := binary.BigEndian.AppendUint64(nil, n)
		return base64.StdEncoding.EncodeToString(raw[8-(in.column.bits+7)/8:]), nil
	case in.column.textual():
		return base64.StdEncoding.EncodeToString([]byte(s)), nil
	}
	return s, nil
}

func member(in *scene, event any) (any, error) {
	name, ok := in.column.members[fmt.Sprint(event)]
	if !ok {
		return nil, fmt.Errorf("%v is no member", event)
	}
	return name, nil
}

func list(_ *scene, event any) (any, error) {
	s, ok := event.(string)
	if !ok {
		return nil, fmt.Errorf("%v is no string", event)
	}
	members := []any{}
	for m := range strings.SplitSeq(s, ",") {
		if s != "" {
			members = append(members, m)
		}
	}
	return members, nil
}

func decimal(_ *scene, event any) (any, error) {
	s, err := digitsOf(event)
	return map[string]any{"value": s}, err
}

// money has units and nanos; protojson leaves zeros out.
func money(_ *scene, event any) (any, error) {
	s, err := digitsOf(event)
	if err != nil {
		return nil, err
	}
	amount, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, fmt.Errorf("%q is no decimal", s)
	}
	billionths := new(big.Int).Div(new(big.Int).Mul(amount.Num(), big.NewInt(1e9)), amount.Denom())
	units, nanos := new(big.Int).QuoRem(billionths, big.NewInt(1e9), new(big.Int))
	out := map[string]any{}
	if units.Sign() != 0 {
		out["units"] = units.String()
	}
	if nanos.Sign() != 0 {
		out["nanos"] = json.Number(nanos.String())
	}
	return out, nil
}

// withoutZeros leaves out what is unset, which REST writes and gRPC does not send.
func withoutZeros(v any) (any, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%v is no object", v)
	}
	out := map[string]any{}
	for name, part := range fields {
		if part != json.Number("0") && part != "0" && part != "" {
			out[name] = part
		}
	}
	return out, nil
}

// document: MySQL's JSON columns are JSON in events, MariaDB's are text.
func document(in *scene, event any) (any, error) {
	s, ok := event.(string)
	if !ok || in.column.on == "mysql" {
		return unwrapped(event), nil
	}
	return parse(s)
}

// unwrapped gives the document of a JSON column of MySQL.
func unwrapped(event any) any {
	if object, ok := event.(map[string]any); ok && len(object) == 1 {
		if document, wrapped := object["$json"]; wrapped {
			return document
		}
	}
	return event
}

// doubles: the numbers of a Struct are doubles.
func doubles(v any) (any, error) { return numbers(v, double64) }

// plainJSON reads JSON text. Of its numbers, those that are whole stay as they are, and others are doubles.
func plainJSON(v any) (any, error) {
	parsed, err := parse(fmt.Sprint(v))
	if err != nil {
		return nil, err
	}
	return numbers(parsed, func(v any) (any, error) {
		if n, ok := v.(json.Number); ok && !strings.ContainsAny(n.String(), ".eE") {
			return n, nil
		}
		return double64(v)
	})
}

// numbers brings all numbers of a JSON value to one form.
func numbers(v any, form func(v any) (any, error)) (any, error) {
	switch v := v.(type) {
	case json.Number:
		return form(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = numbers(v[i], form); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			var err error
			if out[k], err = numbers(v[k], form); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}
