package value

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// stringBinder gives the text. Where the column is of another kind, the text has to be exactly what the column gives
// back, so that MySQL has nothing to interpret.
func (c *Codec) stringBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	name, zone := ":"+string(fd.Name()), c.zone()
	var check func(s string) (driver.Value, error)
	switch to.class {
	case classUnknown:
		check = func(s string) (driver.Value, error) { return s, nil }
	case classText, classEnum, classSet, classBinary:
		check = func(s string) (driver.Value, error) { return s, to.checkText([]byte(s)) }
	case classInt:
		check = to.writeIntegerText
	case classDecimal:
		check = func(s string) (driver.Value, error) {
			text, err := canonicalDecimal(s)
			if err != nil {
				return nil, err
			}
			return to.writeDecimal(text)
		}
	case classDateTime, classTimestamp, classDate, classTime:
		check = func(s string) (driver.Value, error) { return s, to.checkLocalText([]byte(s), zone) }
	case classJSON:
		check = func(s string) (driver.Value, error) {
			if !json.Valid([]byte(s)) {
				return nil, errors.New("must be JSON text")
			}
			return s, nil
		}
	case classFloat, classDouble:
		return nil, refuseWrite(fd, to, "use a double field, or write CAST("+name+" AS DOUBLE)")
	case classGeometry:
		return nil, refuseWrite(fd, to, "write ST_GeomFromText("+name+")")
	case classVector:
		return nil, refuseWrite(fd, to, "write STRING_TO_VECTOR("+name+")")
	default:
		return nil, refuseWrite(fd, to, "use an integer field, or write CAST("+name+" AS UNSIGNED)")
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		s := v.String()
		if !utf8.ValidString(s) {
			return nil, errInvalidText
		}
		return check(s)
	}, nil
}

func (t *target) writeIntegerText(s string) (driver.Value, error) {
	n, ok := parseInteger([]byte(s))
	if !ok || n.String() != s {
		return nil, errors.New("must be a whole number, written without leading zeros")
	}
	return n.driverValue(), t.checkInteger(n)
}

// checkText refuses text that the column would give back differently. Text that is too long, or that its character set
// lacks, is refused by MySQL itself.
func (t *target) checkText(s []byte) error {
	switch t.class {
	case classEnum:
		return t.checkMember(string(s))
	case classSet:
		return t.checkMembers(string(s))
	case classBinary:
		return t.checkBinary(s)
	}
	switch t.Type {
	case typeUUID, typeINET4, typeINET6:
		return t.checkAddress(string(s))
	}
	if len(s) == 0 || s[len(s)-1] != ' ' {
		return nil
	}
	if t.Type == "CHAR" {
		return errors.New("must not end in a space: the column drops it")
	}
	if t.Type == "VARCHAR" && t.Length > 0 && int64(utf8.RuneCount(s)) > t.Length || t.Type != "VARCHAR" && int64(len(s)) > t.textBytes() {
		return errors.New("is too long for the column, which would drop spaces at its end")
	}
	return nil
}

// textBytes gives the capacity of a TEXT column in bytes.
func (t *target) textBytes() int64 {
	if t.Length > 0 {
		return t.Length
	}
	switch t.Type {
	case "TINYTEXT":
		return 1<<8 - 1
	case "TEXT":
		return 1<<16 - 1
	case "MEDIUMTEXT":
		return 1<<24 - 1
	}
	return 1<<32 - 1
}

// checkBinary refuses bytes that a BINARY(n) column would pad with zeros.
func (t *target) checkBinary(s []byte) error {
	if t.Type == "BINARY" && t.Length > 0 && len(s) != int(t.Length) {
		return fmt.Errorf("must be exactly %d bytes long", t.Length)
	}
	return nil
}

// checkMember refuses text that an ENUM column would take for another member: one that differs in case, or digits,
// which it takes for an index.
func (t *target) checkMember(s string) error {
	if t.Members != nil {
		if slices.Contains(t.Members, s) {
			return nil
		}
		return fmt.Errorf("must be one of %s", strings.Join(t.Members, ", "))
	}
	if isIndex(s) {
		return errors.New("must be one of the column's values: digits are taken for an index")
	}
	if strings.HasSuffix(s, " ") {
		return errors.New("must not end in a space: the column drops it")
	}
	return nil
}

// checkMembers is checkMember for SET: members with commas between them, in the column's order and each once, as the
// column gives them back.
func (t *target) checkMembers(s string) error {
	if s == "" {
		return nil
	}
	if t.Members == nil {
		if isIndex(s) {
			return errors.New("must be the column's values with commas between them: digits are taken for bits")
		}
		return nil
	}
	last := -1
	for member := range strings.SplitSeq(s, ",") {
		at := slices.Index(t.Members, member)
		if at < 0 {
			return fmt.Errorf("must be of %s, with commas between them", strings.Join(t.Members, ", "))
		}
		if at <= last {
			return fmt.Errorf("must name each value once, in this order: %s", strings.Join(t.Members, ", "))
		}
		last = at
	}
	return nil
}

// isIndex tells whether MySQL would read the text as a number.
func isIndex(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && allDigits([]byte(strings.TrimLeft(s, "+-")))
}

func bytesBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	name := ":" + string(fd.Name())
	var check func(s []byte) error
	switch to.class {
	case classUnknown, classGeometry, classVector:
		check = func([]byte) error { return nil }
	case classBinary:
		check = to.checkBinary
	case classText:
		check = func(s []byte) error {
			if !utf8.Valid(s) {
				return errInvalidText
			}
			return to.checkText(s)
		}
	case classBit:
		check = to.checkBits
	case classJSON, classEnum, classSet:
		return nil, refuseWrite(fd, to, "use a string field")
	default:
		return nil, refuseWrite(fd, to, "use a field of the column's own kind, or write CONV(HEX("+name+"), 16, 10) for the number that the bytes are")
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		s := v.Bytes()
		if err := check(s); err != nil {
			return nil, err
		}
		return append(make([]byte, 0, len(s)), s...), nil // never nil, which the driver takes for NULL
	}, nil
}

// checkBits refuses bytes that a BIT(n) column would give back with another length or not hold.
func (t *target) checkBits(s []byte) error {
	if t.Length <= 0 {
		if len(s) == 0 || len(s) > 8 {
			return errors.New("must be from 1 to 8 bytes long")
		}
		return nil
	}
	want := int(t.Length+7) / 8
	if len(s) != want {
		return fmt.Errorf("must be exactly %d bytes long", want)
	}
	if spare := uint(want*8) - uint(t.Length); spare > 0 && s[0]>>(8-spare) != 0 {
		return fmt.Errorf("must be at most %d bits long", t.Length)
	}
	return nil
}

// likeBinder gives a LIKE pattern. The escape character is LIKE's own, the backslash.
func likeBinder(fd protoreflect.FieldDescriptor, fn string, sh shape, to target) (Binder, error) {
	if sh != shapeString {
		return nil, refuse(":"+fn+" makes a LIKE pattern of text; "+string(fd.Name())+" is "+describe(fd), "use a string field, or leave the function out")
	}
	if !to.any() {
		return nil, refuse(":"+fn+" makes a LIKE pattern, which is no value for the column "+to.Name, "use it after LIKE only")
	}
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	before, after := "", ""
	if fn != fnPrefix {
		before = "%"
	}
	if fn != fnSuffix {
		after = "%"
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		s := v.String()
		if !utf8.ValidString(s) {
			return nil, errInvalidText
		}
		return before + escape.Replace(s) + after, nil
	}, nil
}

// jsonBinder gives JSON text.
func (c *Codec) jsonBinder(fd protoreflect.FieldDescriptor, to target, write jsonWriter) (Binder, error) {
	if !to.is(classJSON, classText) {
		return nil, refuseWrite(fd, to, "JSON text goes into JSON and text columns only")
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		if !v.IsValid() {
			return nil, nil
		}
		b, err := write(nil, c, fd, v)
		if err != nil {
			return nil, fmt.Errorf("can't be written as JSON: %w", err)
		}
		var out bytes.Buffer
		out.Grow(len(b))
		if err := json.Compact(&out, b); err != nil { // protojson's spacing differs from run to run
			return nil, fmt.Errorf("can't be written as JSON: %w", err)
		}
		return out.String(), nil
	}, nil
}
