package binlog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"banyan.dev/banyan/mirror/change"
)

// Types of columns in the log (mysql/field_types.h).
const (
	typeTiny       = mysql.MYSQL_TYPE_TINY
	typeShort      = mysql.MYSQL_TYPE_SHORT
	typeInt24      = mysql.MYSQL_TYPE_INT24
	typeLong       = mysql.MYSQL_TYPE_LONG
	typeLongLong   = mysql.MYSQL_TYPE_LONGLONG
	typeDecimal    = mysql.MYSQL_TYPE_NEWDECIMAL
	typeFloat      = mysql.MYSQL_TYPE_FLOAT
	typeDouble     = mysql.MYSQL_TYPE_DOUBLE
	typeNull       = mysql.MYSQL_TYPE_NULL
	typeBit        = mysql.MYSQL_TYPE_BIT
	typeYear       = mysql.MYSQL_TYPE_YEAR
	typeDate       = mysql.MYSQL_TYPE_DATE
	typeNewDate    = mysql.MYSQL_TYPE_NEWDATE
	typeTime       = mysql.MYSQL_TYPE_TIME
	typeDatetime   = mysql.MYSQL_TYPE_DATETIME
	typeTimestamp  = mysql.MYSQL_TYPE_TIMESTAMP
	typeTime2      = mysql.MYSQL_TYPE_TIME2
	typeDatetime2  = mysql.MYSQL_TYPE_DATETIME2
	typeTimestamp2 = mysql.MYSQL_TYPE_TIMESTAMP2
	typeVarchar    = mysql.MYSQL_TYPE_VARCHAR
	typeVarString  = mysql.MYSQL_TYPE_VAR_STRING
	typeString     = mysql.MYSQL_TYPE_STRING
	typeEnum       = mysql.MYSQL_TYPE_ENUM
	typeSet        = mysql.MYSQL_TYPE_SET
	typeBlob       = mysql.MYSQL_TYPE_BLOB
	typeGeometry   = mysql.MYSQL_TYPE_GEOMETRY
	typeJSON       = mysql.MYSQL_TYPE_JSON
	typeVector     = mysql.MYSQL_TYPE_VECTOR
	// MariaDB's columns with the attribute COMPRESSED.
	typeBlobCompressed    = 140
	typeVarcharCompressed = 141
)

// column says how a value is read.
type column struct {
	typ      byte
	unsigned bool
	// length is the most bytes that a text or bytes have, the digits of a DECIMAL, the bits of a BIT.
	length int
	// prefix is the number of bytes of a value's length, or of an ENUM or SET itself.
	prefix int
	// decimals are those of a DECIMAL, or of a time's seconds.
	decimals int
	// text is nil for columns of bytes.
	text *charset
	// names are those of an ENUM or SET, and labels are the same in UTF-8; a nil one is not text in its charset.
	names    [][]byte
	labels   [][]byte
	geometry uint64
}

// size reads a column's metadata, which says how long its values are.
func (c *column) size(typ byte, meta *cursor) error {
	c.typ = typ
	switch typ {
	case typeTiny, typeShort, typeInt24, typeLong, typeLongLong, typeYear, typeDate, typeNewDate, typeTime, typeDatetime, typeTimestamp, typeNull:
	case typeFloat, typeDouble:
		if want, got := map[byte]uint8{typeFloat: 4, typeDouble: 8}[typ], meta.u8(); got != want && !meta.failed {
			return fmt.Errorf("a floating point number has %d bytes", got)
		}
	case typeTime2, typeDatetime2, typeTimestamp2:
		c.decimals = int(meta.u8())
		if c.decimals > 6 {
			return fmt.Errorf("a time has %d decimals", c.decimals)
		}
	case typeBlob, typeGeometry, typeJSON, typeVector, typeBlobCompressed:
		c.prefix = int(meta.u8())
		if (c.prefix < 1 || c.prefix > 4) && !meta.failed {
			return fmt.Errorf("a blob's length has %d bytes", c.prefix)
		}
	case typeVarchar, typeVarString, typeVarcharCompressed:
		c.setLength(int(meta.little(2)))
	case typeBit:
		bits, whole := int(meta.u8()), int(meta.u8())
		c.length = whole*8 + bits
		if c.length > 64 || bits > 7 {
			return fmt.Errorf("a BIT has %d bits", c.length)
		}
	case typeDecimal:
		c.length, c.decimals = int(meta.u8()), int(meta.u8())
		if c.length > maxDigits || c.decimals > c.length {
			return fmt.Errorf("a DECIMAL has %d digits and %d decimals", c.length, c.decimals)
		}
	case typeString:
		c.sizeString(meta.u8(), meta.u8())
		if (c.typ == typeEnum && c.prefix != 1 && c.prefix != 2 || c.typ == typeSet && (c.prefix < 1 || c.prefix > 8)) && !meta.failed {
			return fmt.Errorf("an ENUM or SET has %d bytes", c.prefix)
		}
	default:
		return fmt.Errorf("it is of the unknown type %d", typ)
	}
	return meta.err()
}

// sizeString: two bits of the type have, inverted, those of the length that don't fit into its byte.
func (c *column) sizeString(typ, length byte) {
	switch typ {
	case typeEnum, typeSet:
		c.typ, c.prefix = typ, int(length)
		return
	}
	if typ&0x30 != 0x30 {
		c.setLength(int(typ&0x30^0x30)<<4 | int(length))
		return
	}
	c.setLength(int(length))
}

func (c *column) setLength(n int) {
	c.length, c.prefix = n, 1
	if n > 255 {
		c.prefix = 2
	}
}

// numeric says that a column has a bit among the signs.
func (c *column) numeric() bool {
	switch c.typ {
	case typeTiny, typeShort, typeInt24, typeLong, typeLongLong, typeDecimal, typeFloat, typeDouble, typeYear:
		return true
	}
	return false
}

// character says that a column has a collation among the charsets. On MariaDB, geometries have one.
func (c *column) character(mariadb bool) bool {
	switch c.typ {
	case typeString, typeVarString, typeVarchar, typeBlob, typeBlobCompressed, typeVarcharCompressed:
		return true
	case typeGeometry:
		return mariadb
	}
	return false
}

// label makes UTF-8 of an ENUM's or SET's names.
func (c *column) label() {
	c.labels = make([][]byte, len(c.names))
	for i, name := range c.names {
		var own arena
		if v := c.text.read(name, &own); v.Kind != change.Garbled {
			c.labels[i] = append([]byte{}, v.Text...)
		}
	}
}

// ddl gives the type as DDL has it, as far as the log does.
func (c *column) ddl() string {
	sign := ""
	if c.unsigned {
		sign = " unsigned"
	}
	switch c.typ {
	case typeTiny:
		return "tinyint" + sign
	case typeShort:
		return "smallint" + sign
	case typeInt24:
		return "mediumint" + sign
	case typeLong:
		return "int" + sign
	case typeLongLong:
		return "bigint" + sign
	case typeFloat:
		return "float" + sign
	case typeDouble:
		return "double" + sign
	case typeDecimal:
		return fmt.Sprintf("decimal(%d,%d)%s", c.length, c.decimals, sign)
	case typeBit:
		return "bit(" + strconv.Itoa(c.length) + ")"
	case typeYear:
		return "year"
	case typeDate, typeNewDate:
		return "date"
	case typeTime, typeTime2:
		return "time" + c.fraction()
	case typeDatetime, typeDatetime2:
		return "datetime" + c.fraction()
	case typeTimestamp, typeTimestamp2:
		return "timestamp" + c.fraction()
	case typeJSON:
		return "json"
	case typeVector:
		return "vector"
	case typeNull:
		return "null"
	case typeGeometry:
		return geometryName(c.geometry)
	case typeEnum:
		return "enum(" + c.labelList() + ")"
	case typeSet:
		return "set(" + c.labelList() + ")"
	case typeString:
		if c.text == nil {
			return "binary(" + strconv.Itoa(c.length) + ")"
		}
		return "char(" + strconv.Itoa(c.length/max(c.text.most, 1)) + ")"
	case typeVarchar, typeVarString, typeVarcharCompressed:
		length := c.length
		if c.typ == typeVarcharCompressed {
			length-- // The byte that says how.
		}
		if c.text == nil {
			return "varbinary(" + strconv.Itoa(length) + ")"
		}
		return "varchar(" + strconv.Itoa(length/max(c.text.most, 1)) + ")"
	}
	kind := "text"
	if c.text == nil {
		kind = "blob"
	}
	return []string{"tiny", "", "medium", "long"}[c.prefix-1] + kind
}

func (c *column) fraction() string {
	if c.decimals == 0 {
		return ""
	}
	return "(" + strconv.Itoa(c.decimals) + ")"
}

func (c *column) labelList() string {
	quoted := make([]string, len(c.labels))
	for i, label := range c.labels {
		quoted[i] = "'" + strings.ReplaceAll(string(label), "'", "''") + "'"
	}
	return strings.Join(quoted, ",")
}

func geometryName(kind uint64) string {
	names := []string{"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection"}
	if kind < uint64(len(names)) {
		return names[kind]
	}
	return names[0]
}
