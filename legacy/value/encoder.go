package value

import (
	"database/sql/driver"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Encoder makes the Encoder that carries a column into a field. Which conversion applies is settled here, once, by the
// column's type and the field's; a conversion that is not offered gives a *Refusal.
//
// A repeated or map field takes the whole column as its JSON value, or a SET column's members. A field of a map's entry
// is taken as any other.
func (c *Codec) Encoder(col Column, fd protoreflect.FieldDescriptor) (Encoder, error) {
	if fd.IsMap() || fd.IsList() {
		return c.manyEncoder(col, fd)
	}
	return c.oneEncoder(col, fd, !fd.HasPresence())
}

// ElementEncoder makes the Encoder that appends one element to a repeated field, for columns of which each row is an
// element. An element can't be NULL: such a row is an error.
func (c *Codec) ElementEncoder(col Column, fd protoreflect.FieldDescriptor) (Encoder, error) {
	if !fd.IsList() {
		return nil, refuse("field "+string(fd.Name())+" takes no rows as elements", "make it a repeated field")
	}
	enc, err := c.oneEncoder(col, fd, false)
	if err != nil {
		return nil, err
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, fmt.Errorf("column %s: NULL can't be an element of the repeated field %s: leave such rows out with IS NOT NULL",
				col.Name, fd.Name())
		}
		return enc(b, v)
	}, nil
}

func (c *Codec) manyEncoder(col Column, fd protoreflect.FieldDescriptor) (Encoder, error) {
	switch classOf(col.Type) {
	case classNull:
		return nullEncoder(col), nil
	case classSet:
		if fd.IsList() && (fd.Kind() == protoreflect.StringKind || fd.Kind() == protoreflect.EnumKind) {
			return c.setEncoder(col, fd), nil
		}
	case classText, classJSON:
		return c.jsonEncoder(col, fd), nil
	}
	return nil, refuseRead(col, fd)
}

func (c *Codec) oneEncoder(col Column, fd protoreflect.FieldDescriptor, omitZero bool) (Encoder, error) {
	cl := classOf(col.Type)
	if cl == classNull {
		return nullEncoder(col), nil
	}
	f := fieldOf(fd, omitZero)
	var enc Encoder
	switch shapeOf(fd) {
	case shapeBool:
		enc = boolEncoder(col, cl, f)
	case shapeInt:
		enc = intEncoder(col, cl, f)
	case shapeFloat, shapeDouble:
		enc = floatEncoder(col, cl, f)
	case shapeString:
		enc = c.stringEncoder(col, cl, f)
	case shapeBytes:
		enc = bytesEncoder(col, cl, f)
	case shapeEnum:
		return c.enumEncoder(col, fd, f)
	case shapeTimestamp:
		enc = c.timestampEncoder(col, cl, f)
	case shapeDuration:
		enc = durationEncoder(col, cl, f)
	case shapeDate:
		enc = dateEncoder(col, cl, f)
	case shapeTimeOfDay:
		enc = timeOfDayEncoder(col, cl, f)
	case shapeMoney:
		enc = moneyEncoder(col, cl, f)
	case shapeDecimal:
		enc = decimalEncoder(col, cl, f)
	case shapeWrapper:
		return c.wrapperEncoder(col, fd)
	case shapeMessage:
		if cl == classText || cl == classJSON {
			enc = c.jsonMessageEncoder(col, fd)
		}
	}
	if enc == nil {
		return nil, refuseRead(col, fd)
	}
	return enc, nil
}

// wrapperEncoder carries the column as the wrapper's inner kind, inside a record of its own, so that NULL and the zero
// value stay apart.
func (c *Codec) wrapperEncoder(col Column, fd protoreflect.FieldDescriptor) (Encoder, error) {
	inner, err := c.oneEncoder(col, fd.Message().Fields().ByNumber(1), true)
	if err != nil {
		return nil, refuseRead(col, fd)
	}
	num := fd.Number()
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		at := len(b)
		b, start := beginMessage(b, num)
		b, err := inner(b, v)
		if err != nil {
			return b[:at], err
		}
		return endMessage(b, start), nil
	}, nil
}

// nullEncoder is for a column that is NULL in every row (SELECT NULL AS note).
func nullEncoder(col Column) Encoder {
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v != nil {
			return b, unexpected(col, v)
		}
		return b, nil
	}
}
