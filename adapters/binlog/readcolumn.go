package binlog

import (
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// readColumn is a column as it is read by SQL. Its values are made what they are in the log.
type readColumn struct {
	name, dataType, columnType, collation string
	precision, decimals                   int
	octets                                uint64
	text                                  *charset
	unsigned                              bool
	// numbered says that the number of an ENUM or SET is read, too, since its labels may be no text; number is where it is
	// selected.
	numbered bool
	number   int
	labels   []string // of an ENUM
}

// settle looks at the type.
func (c *readColumn) settle() error {
	c.dataType = strings.ToLower(c.dataType)
	if c.dataType == "enum" {
		c.labels = labelsOf(c.columnType)
	} else {
		c.columnType = strings.ToLower(c.columnType)
	}
	c.unsigned = strings.Contains(c.columnType, "unsigned") || strings.Contains(c.columnType, "zerofill")
	switch c.dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "decimal", "bit", "char", "varchar", "tinytext", "text", "mediumtext", "longtext",
		"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "date", "time", "datetime", "timestamp", "json", "uuid", "inet4", "inet6",
		"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection", "vector":
	case "enum", "set":
		c.numbered = c.text != nil && !c.text.utf8
	case "year":
		if c.columnType == "year(2)" {
			return errors.New("YEAR(2) shows two digits only: make the column a YEAR")
		}
	default:
		return fmt.Errorf("it is of the type %s, which is not known", c.dataType)
	}
	return nil
}

// decode makes values of what the driver gives, which is valid as long as the values are to be.
func (p *readPlan) decode(raw []driver.Value, values []change.Value, a *arena) error {
	for i := range p.columns {
		var err error
		if values[i], err = p.columns[i].decode(raw, i, a); err != nil {
			return fmt.Errorf("the column %s of %s.%s: %w", p.columns[i].name, p.table.Schema, p.table.Name, err)
		}
	}
	return nil
}

// errDriver is a value in a form that it is not expected in.
var errDriver = errors.New("the driver gives its value in an unknown form")

func (c *readColumn) decode(raw []driver.Value, i int, a *arena) (change.Value, error) {
	switch v := raw[i].(type) {
	case nil:
		return change.Value{Kind: change.Null}, nil
	case int64:
		return c.whole(uint64(v)) //nolint:gosec // the bits are what counts
	case float32:
		return change.Value{Kind: change.Float, Num: uint64(math.Float32bits(v))}, nil
	case float64:
		return change.Value{Kind: change.Double, Num: math.Float64bits(v)}, nil
	case []byte:
		return c.bytes(raw, v, a)
	default:
		return change.Value{}, errDriver
	}
}

// whole makes a value of an integer.
func (c *readColumn) whole(n uint64) (change.Value, error) {
	switch {
	case c.dataType == "bigint" && c.unsigned:
		return change.Value{Kind: change.BigUint, Num: n}, nil
	case c.dataType == "bigint":
		return change.Value{Kind: change.BigInt, Num: n}, nil
	case c.unsigned || c.dataType == "year":
		return change.Value{Kind: change.Uint, Num: n}, nil
	}
	switch c.dataType {
	case "tinyint", "smallint", "mediumint", "int":
		return change.Value{Kind: change.Int, Num: n}, nil
	}
	return change.Value{}, errDriver
}

// bytes makes a value of all else.
func (c *readColumn) bytes(raw []driver.Value, v []byte, a *arena) (change.Value, error) {
	switch c.dataType {
	case "bigint": // of more than an int64 has
		n, err := strconv.ParseUint(string(v), 10, 64)
		return change.Value{Kind: change.BigUint, Num: n}, err
	case "bit":
		from := cursor{rest: v}
		return change.Value{Kind: change.BigUint, Num: from.big(len(v))}, from.err()
	case "decimal":
		n := len(a.buf)
		a.buf = appendDecimal(a.buf, v)
		return change.Value{Kind: change.Decimal, Text: a.since(n)}, nil
	case "date", "time", "datetime":
		return change.Value{Kind: change.Temporal, Text: v}, nil
	case "timestamp":
		return c.instant(v, a), nil
	case "json":
		return change.Value{Kind: change.JSON, Text: v}, nil
	case "uuid", "inet4", "inet6":
		return c.address(v, a)
	case "enum", "set":
		value := c.text.read(v, a)
		if value.Kind == change.Garbled {
			number, err := numberOf(raw, c.number)
			return change.Value{Kind: change.Garbled, Text: number}, err
		}
		if value.Kind == change.Bytes { // of the charset binary
			value.Kind = change.String
		}
		return value, nil
	default:
		return c.text.read(v, a), nil
	}
}

// appendDecimal leaves out the zeros of ZEROFILL, which are not in the log.
func appendDecimal(dst, v []byte) []byte {
	for len(v) > 1 && v[0] == '0' && v[1] != '.' {
		v = v[1:]
	}
	return append(dst, v...)
}

// instant writes a TIMESTAMP, which is in UTC, as the log's are.
func (c *readColumn) instant(v []byte, a *arena) change.Value {
	if strings.HasPrefix(string(v), "0000-00-00") {
		return change.Value{Kind: change.Temporal, Text: v}
	}
	n := len(a.buf)
	a.buf = append(a.buf, v...)
	if len(v) > 10 {
		a.buf[n+10] = 'T'
	}
	a.buf = append(a.buf, 'Z')
	return change.Value{Kind: change.Instant, Text: a.since(n)}
}

// address gives the bytes that MariaDB stores.
func (c *readColumn) address(v []byte, a *arena) (change.Value, error) {
	n := len(a.buf)
	if c.dataType == "uuid" {
		raw, err := hex.AppendDecode(a.buf, []byte(strings.ReplaceAll(string(v), "-", "")))
		if err != nil {
			return change.Value{}, fmt.Errorf("%q is no UUID: %w", v, err)
		}
		a.buf = raw
		return change.Value{Kind: change.Bytes, Text: a.since(n)}, nil
	}
	address, err := netip.ParseAddr(string(v))
	if err != nil {
		return change.Value{}, err
	}
	if c.dataType == "inet6" {
		whole := address.As16()
		a.buf = append(a.buf, whole[:]...)
	} else {
		a.buf = append(a.buf, address.AsSlice()...)
	}
	return change.Value{Kind: change.Bytes, Text: a.since(n)}, nil
}

// numberOf gives the number of an ENUM or SET as text.
func numberOf(raw []driver.Value, at int) ([]byte, error) {
	if at == 0 {
		return nil, errDriver
	}
	text, err := numberText(raw[at])
	return []byte(text), err
}

func numberText(v any) (string, error) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64: // what MySQL makes of label + 0; a SET of 53 members and more is not exact
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return "", errDriver
		}
		return strconv.FormatFloat(v, 'f', 0, 64), nil
	case []byte:
		return string(v), nil
	}
	return "", errDriver
}
