package binlog

import (
	"errors"
	"fmt"
	"strconv"

	"banyan.dev/banyan/mirror/change"
)

// errLabel says that an ENUM or SET has what its column doesn't.
var errLabel = errors.New("an ENUM or SET has a member that its column has not")

// read reads one value that is not NULL. What it can't take from the bytes as it is, it makes in the arena.
func (c *column) read(from *cursor, a *arena) (change.Value, error) {
	switch c.typ {
	case typeTiny:
		return c.integer(from.little(1), 8), nil
	case typeShort:
		return c.integer(from.little(2), 16), nil
	case typeInt24:
		return c.integer(from.little(3), 24), nil
	case typeLong:
		return c.integer(from.little(4), 32), nil
	case typeLongLong:
		kind := change.BigInt
		if c.unsigned {
			kind = change.BigUint
		}
		return change.Value{Kind: kind, Num: from.little(8)}, nil
	case typeFloat:
		return change.Value{Kind: change.Float, Num: from.little(4)}, nil
	case typeDouble:
		return change.Value{Kind: change.Double, Num: from.little(8)}, nil
	case typeBit:
		return change.Value{Kind: change.BigUint, Num: from.big((c.length + 7) / 8)}, nil
	case typeYear:
		year := from.little(1)
		if year > 0 {
			year += 1900
		}
		return change.Value{Kind: change.Uint, Num: year}, nil
	case typeNull:
		return change.Value{Kind: change.Null}, nil
	case typeVarchar, typeVarString, typeBlob:
		return c.text.read(from.bytes(int(from.little(c.prefix))), a), nil
	case typeString:
		return c.char(from, a), nil
	case typeGeometry, typeVector:
		return change.Value{Kind: change.Bytes, Text: from.bytes(int(from.little(c.prefix)))}, nil
	case typeEnum, typeSet:
		return c.member(from.little(c.prefix), a)
	case typeTimestamp:
		return readTimestamp(a, from.little(4), 0, 0), nil
	case typeTimestamp2:
		return readTimestamp2(a, from, c.decimals), nil
	case typeJSON:
		return readJSON(from.bytes(int(from.little(c.prefix))), a)
	case typeBlobCompressed, typeVarcharCompressed:
		return c.compressed(from.bytes(int(from.little(c.prefix))), a)
	}
	n := len(a.buf)
	kind := change.Temporal
	var err error
	switch c.typ {
	case typeDecimal:
		kind, a.buf = change.Decimal, readDecimal(a.buf, from, c.length, c.decimals)
	case typeDate, typeNewDate:
		a.buf = readDate(a.buf, from)
	case typeTime2:
		a.buf = readTime2(a.buf, from, c.decimals)
	case typeDatetime2:
		a.buf = readDatetime2(a.buf, from, c.decimals)
	case typeTime:
		a.buf, err = readTime(a.buf, from)
	case typeDatetime:
		a.buf, err = readDatetime(a.buf, from)
	default:
		return change.Value{}, fmt.Errorf("a value of the unknown type %d", c.typ)
	}
	return change.Value{Kind: kind, Text: a.since(n)}, err
}

func (c *column) integer(n uint64, bits int) change.Value {
	if c.unsigned {
		return change.Value{Kind: change.Uint, Num: n}
	}
	shift := 64 - bits
	return change.Value{Kind: change.Int, Num: uint64(int64(n<<shift) >> shift)}
}

// char reads a CHAR or BINARY. The log has neither's padding. That of BINARY is part of the value: zeros.
func (c *column) char(from *cursor, a *arena) change.Value {
	text := from.bytes(int(from.little(c.prefix)))
	if c.text != nil || len(text) >= c.length {
		return c.text.read(text, a)
	}
	n := len(a.buf)
	a.buf = append(a.buf, text...)
	for range c.length - len(text) {
		a.buf = append(a.buf, 0)
	}
	return change.Value{Kind: change.Bytes, Text: a.since(n)}
}

// member gives an ENUM's label, which is empty for what was no label of it, or the labels of a SET.
func (c *column) member(n uint64, a *arena) (change.Value, error) {
	if c.typ == typeEnum {
		switch {
		case n == 0:
			return change.Value{Kind: change.String, Text: []byte{}}, nil
		case n > uint64(len(c.labels)):
			return change.Value{}, errLabel
		}
		return c.labelled(c.labels[n-1], n), nil
	}
	start := len(a.buf)
	for i := 0; n>>i != 0 && i < 64; i++ {
		if n>>i&1 == 0 {
			continue
		}
		if i >= len(c.labels) {
			return change.Value{}, errLabel
		}
		if c.labels[i] == nil {
			return c.labelled(nil, n), nil
		}
		if len(a.buf) > start {
			a.buf = append(a.buf, ',')
		}
		a.buf = append(a.buf, c.labels[i]...)
	}
	return change.Value{Kind: change.String, Text: a.since(start)}, nil
}

// labelled: a label that is no text is given as its number.
func (*column) labelled(label []byte, n uint64) change.Value {
	if label == nil {
		return change.Value{Kind: change.Garbled, Text: strconv.AppendUint(nil, n, 10)}
	}
	return change.Value{Kind: change.String, Text: label}
}

// skip passes over a value that is not NULL.
func (c *column) skip(from *cursor) {
	switch c.typ {
	case typeTiny, typeYear:
		from.bytes(1)
	case typeShort:
		from.bytes(2)
	case typeInt24, typeDate, typeNewDate, typeTime:
		from.bytes(3)
	case typeLong, typeFloat, typeTimestamp:
		from.bytes(4)
	case typeLongLong, typeDouble, typeDatetime:
		from.bytes(8)
	case typeBit:
		from.bytes((c.length + 7) / 8)
	case typeDecimal:
		from.bytes(decimalSize(c.length, c.decimals))
	case typeTime2:
		from.bytes(3 + fractionBytes[c.decimals])
	case typeTimestamp2:
		from.bytes(4 + fractionBytes[c.decimals])
	case typeDatetime2:
		from.bytes(5 + fractionBytes[c.decimals])
	case typeEnum, typeSet:
		from.bytes(c.prefix)
	case typeNull:
	default:
		from.bytes(int(from.little(c.prefix)))
	}
}
