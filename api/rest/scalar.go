package rest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// parseScalar reads a value of a path or query. Errors are for the caller.
func parseScalar(fd protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		if !utf8.ValidString(text) {
			return protoreflect.Value{}, errors.New("the text is not valid UTF-8")
		}
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BoolKind:
		v, err := strconv.ParseBool(text)
		return protoreflect.ValueOfBool(v), wanted(err, text, "true or false")
	case protoreflect.EnumKind:
		return parseEnum(fd.Enum(), text)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		v, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(v)), wanted(err, text, "a whole number of 32 bits")
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		v, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(v), wanted(err, text, "a whole number of 64 bits")
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		v, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(v)), wanted(err, text, "a whole number of 32 bits, not negative")
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		v, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(v), wanted(err, text, "a whole number of 64 bits, not negative")
	case protoreflect.FloatKind:
		v, err := strconv.ParseFloat(text, 32)
		return protoreflect.ValueOfFloat32(float32(v)), wanted(err, text, "a number")
	case protoreflect.DoubleKind:
		v, err := strconv.ParseFloat(text, 64)
		return protoreflect.ValueOfFloat64(v), wanted(err, text, "a number")
	case protoreflect.BytesKind:
		v, err := parseBytes(text)
		return protoreflect.ValueOfBytes(v), wanted(err, text, "base64")
	default:
		return protoreflect.Value{}, fmt.Errorf("a %s can't be written here", fd.Kind())
	}
}

// wanted says what would have been right where there is an error.
func wanted(err error, text, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("%s is out of range; it must be %s", shown(text), what)
	}
	return fmt.Errorf("%s is not %s", shown(text), what)
}

// maxShown bounds how much of a wrong value an error repeats.
const maxShown = 40

func shown(text string) string {
	if len(text) > maxShown {
		text = text[:maxShown] + "…"
	}
	return strconv.Quote(text)
}

// parseEnum takes a value's name or number.
func parseEnum(ed protoreflect.EnumDescriptor, text string) (protoreflect.Value, error) {
	values := ed.Values()
	v := values.ByName(protoreflect.Name(text))
	if v == nil {
		if n, err := strconv.ParseInt(text, 10, 32); err == nil {
			v = values.ByNumber(protoreflect.EnumNumber(n))
		}
	}
	if v != nil {
		return protoreflect.ValueOfEnum(v.Number()), nil
	}
	const most = 20
	names := make([]string, 0, min(values.Len(), most))
	for i := range values.Len() {
		if i == most {
			names = append(names, "…")
			break
		}
		names = append(names, string(values.Get(i).Name()))
	}
	return protoreflect.Value{}, fmt.Errorf("%s is none of %s", shown(text), strings.Join(names, ", "))
}

// parseBytes takes base64 in the standard or the URL alphabet, padded or not, as JSON does.
func parseBytes(text string) ([]byte, error) {
	enc := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		enc = base64.RawURLEncoding
	}
	return enc.DecodeString(strings.TrimRight(text, "="))
}
