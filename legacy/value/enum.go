package value

import (
	"bytes"
	"database/sql/driver"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// enumEncoder finds an enum's value by the codes that `-- enum:` declares for this kind of column. Without any, text
// is the value's name, in full or without the enum's prefix, and an integer is its number.
func (c *Codec) enumEncoder(col Column, fd protoreflect.FieldDescriptor, f field) (Encoder, error) {
	switch classOf(col.Type) {
	case classText, classEnum:
		return eachText(col, c.enumText(col, f, fd.Enum())), nil
	case classInt:
		return c.enumIntEncoder(col, f, fd.Enum())
	}
	return nil, refuseRead(col, fd)
}

// enumText appends the value that a text stands for.
func (c *Codec) enumText(col Column, f field, ed protoreflect.EnumDescriptor) textAppender {
	numbers := c.enumTexts(ed)
	return func(b, s []byte) ([]byte, error) {
		n, ok := numbers[string(s)]
		if !ok {
			return b, misfit(col, f, "%q is no code or name of %s; declare it with `-- enum:`, or map it in SQL", s, ed.FullName())
		}
		return f.appendVarint(b, uint64(int64(n))), nil
	}
}

func (c *Codec) enumIntEncoder(col Column, f field, ed protoreflect.EnumDescriptor) (Encoder, error) {
	codes := c.Enums[ed.FullName()]
	if codes != nil && len(codes.FromInt) == 0 {
		return nil, refuse(col.Type+" column "+col.Name+" does not go into the field "+string(f.name)+": `-- enum: "+
			string(ed.FullName())+"` declares text codes only", "declare integer codes too, or choose in SQL: CASE col WHEN 1 THEN 'CODE' END")
	}
	values := ed.Values()
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		n, ok := integerOf(v)
		if !ok {
			return b, unexpected(col, v)
		}
		var number protoreflect.EnumNumber
		known := n.fits(protoreflect.Int64Kind)
		switch {
		case !known:
		case codes != nil:
			number, known = codes.FromInt[int64(n.bits)]
		default:
			number = protoreflect.EnumNumber(int32(n.bits))
			known = n.fits(protoreflect.Int32Kind) && values.ByNumber(number) != nil
		}
		if !known {
			return b, misfit(col, f, "%s is no code or number of %s; declare it with `-- enum:`, or map it in SQL", n, ed.FullName())
		}
		return f.appendVarint(b, uint64(int64(number))), nil
	}, nil
}

// enumTexts gives the texts that stand for an enum's values in text columns.
func (c *Codec) enumTexts(ed protoreflect.EnumDescriptor) map[string]protoreflect.EnumNumber {
	if e := c.Enums[ed.FullName()]; e != nil && len(e.FromText) > 0 {
		return e.FromText
	}
	texts := make(map[string]protoreflect.EnumNumber)
	values := ed.Values()
	for i := range values.Len() {
		texts[shortName(ed, values.Get(i))] = values.Get(i).Number()
	}
	for i := range values.Len() { // a full name wins over another's short name
		texts[string(values.Get(i).Name())] = values.Get(i).Number()
	}
	return texts
}

// shortName gives a value's name without the enum's prefix: PENDING for ORDER_STATUS_PENDING of OrderStatus.
func shortName(ed protoreflect.EnumDescriptor, v protoreflect.EnumValueDescriptor) string {
	name, ok := strings.CutPrefix(string(v.Name()), upperSnake(string(ed.Name()))+"_")
	if !ok || name == "" {
		return string(v.Name())
	}
	return name
}

// upperSnake gives ORDER_STATUS for OrderStatus and HTTP_METHOD for HTTPMethod.
func upperSnake(camel string) string {
	var b strings.Builder
	runes := []rune(camel)
	for i, r := range runes {
		if i > 0 && unicode.IsUpper(r) && runes[i-1] != '_' {
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(runes[i-1]) || next {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToUpper(r))
	}
	return b.String()
}

// setEncoder appends a SET column's members as elements of a repeated string or enum field, in the column's order.
func (c *Codec) setEncoder(col Column, fd protoreflect.FieldDescriptor) Encoder {
	f := fieldOf(fd, false)
	element := validText(col, f)
	if fd.Kind() == protoreflect.EnumKind {
		element = c.enumText(col, f, fd.Enum())
	}
	return eachText(col, func(b, s []byte) ([]byte, error) {
		at := len(b)
		for len(s) > 0 {
			member, rest, _ := bytes.Cut(s, []byte{','})
			var err error
			if b, err = element(b, member); err != nil {
				return b[:at], err
			}
			s = rest
		}
		return b, nil
	})
}
