package value

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// KeysetColumn tells whether a list can be paged by a column: nil, or a *Refusal. A column can't be paged by when MySQL
// orders by something else than it compares, or by less than the whole value.
func KeysetColumn(col Column) error {
	what := "a list can't be paged by the " + col.Type + " column " + col.Name
	switch classOf(col.Type) {
	case classEnum, classSet:
		return refuse(what+": it is ordered by index and compared as text", "order by CAST(col AS UNSIGNED), or by CAST(col AS CHAR)")
	case classJSON, classGeometry, classVector:
		return refuse(what+": its values have no order of use", "order by another column, or by a value taken out of it")
	case classText, classBinary:
		switch col.Type {
		case "CHAR", "VARCHAR", "BINARY", "VARBINARY":
			return nil
		}
		return refuse(what+": MySQL orders long values by their beginning only", "order by LEFT(col, 255)")
	case classNull, classUnknown:
		return refuse(what, "order by another column")
	}
	return nil
}

// maxScale is how many decimals a DECIMAL has at most (38 in MariaDB, 30 in MySQL).
const maxScale = 38

// KeysetPlaceholder gives the placeholder that a token's value of this column is compared through: "?", or a CAST where
// MySQL would else compare inexactly: a string argument makes the comparison with a DECIMAL one of doubles.
func KeysetPlaceholder(col Column) string {
	if classOf(col.Type) != classDecimal {
		return "?"
	}
	if col.Known && col.Scale >= 0 && col.Scale <= maxScale { // the precision that drivers tell is short by one for UNSIGNED
		return fmt.Sprintf("CAST(? AS DECIMAL(65,%d))", col.Scale)
	}
	return "CAST(? AS DECIMAL(65,30))"
}

// Kinds of a token's value: its first byte.
const (
	tokenNull   = 'n'
	tokenInt    = 'i' // zigzag varint
	tokenUint   = 'u' // varint, beyond int64
	tokenDouble = 'd' // eight bytes
	tokenText   = 's'
	tokenBytes  = 'b'
)

// TokenValue gives a lossless short form of a value of the column, for a page token.
func (c *Codec) TokenValue(col Column, v driver.Value) ([]byte, error) {
	if err := KeysetColumn(col); err != nil {
		return nil, err
	}
	arg := ArgOf(col, v)
	if kind := tokenKind(col, arg); kind == 0 {
		return nil, unexpected(col, v)
	}
	switch arg := arg.(type) {
	case int64:
		return binary.AppendVarint([]byte{tokenInt}, arg), nil
	case uint64:
		return binary.AppendUvarint([]byte{tokenUint}, arg), nil
	case float64:
		return binary.BigEndian.AppendUint64([]byte{tokenDouble}, math.Float64bits(arg)), nil
	case string:
		return append([]byte{tokenText}, arg...), nil
	case []byte:
		return append([]byte{tokenBytes}, arg...), nil
	}
	return []byte{tokenNull}, nil
}

// tokenKind gives the kind that a value of the column has in tokens; 0 for a value that the column never gives.
func tokenKind(col Column, arg driver.Value) byte {
	cl := classOf(col.Type)
	switch arg.(type) {
	case nil:
		return tokenNull
	case int64:
		if cl == classInt || cl == classYear || cl == classBit {
			return tokenInt
		}
	case uint64:
		if cl == classInt || cl == classBit {
			return tokenUint
		}
	case float64:
		if cl == classFloat || cl == classDouble {
			return tokenDouble
		}
	case string:
		switch cl {
		case classText, classDecimal, classDateTime, classTimestamp, classDate, classTime:
			return tokenText
		}
	case []byte:
		if cl == classBinary {
			return tokenBytes
		}
	}
	return 0
}

var errToken = errors.New("the token's value is not one of its column: it was made for another order or an older schema")

// FromToken gives the value that TokenValue was given, as an argument. A form that is not one of the column's is
// refused, so that a token made before the column's type was changed does not page by chance.
func (c *Codec) FromToken(col Column, b []byte) (driver.Value, error) {
	if err := KeysetColumn(col); err != nil {
		return nil, err
	}
	arg, ok := tokenArg(b)
	if !ok || tokenKind(col, arg) != b[0] || !written(col, arg) {
		return nil, errToken
	}
	return arg, nil
}

func tokenArg(b []byte) (driver.Value, bool) {
	if len(b) == 0 {
		return nil, false
	}
	rest := b[1:]
	switch b[0] {
	case tokenNull:
		return nil, len(rest) == 0
	case tokenInt:
		v, n := binary.Varint(rest)
		return v, n > 0 && n == len(rest)
	case tokenUint:
		v, n := binary.Uvarint(rest)
		return v, n > 0 && n == len(rest) && v > math.MaxInt64
	case tokenDouble:
		if len(rest) != 8 {
			return nil, false
		}
		d := math.Float64frombits(binary.BigEndian.Uint64(rest))
		return d, !math.IsNaN(d) && !math.IsInf(d, 0)
	case tokenText:
		return string(rest), utf8.Valid(rest)
	case tokenBytes:
		return append(make([]byte, 0, len(rest)), rest...), true
	}
	return nil, false
}

// written tells whether text is written as its column's values are.
func written(col Column, arg driver.Value) bool {
	s, ok := arg.(string)
	if !ok {
		return true
	}
	to := sink(&col)
	switch to.class {
	case classDecimal:
		_, ok := parsePlain([]byte(s))
		return ok
	case classDateTime, classTimestamp, classDate, classTime:
		to.Known = false // an expression's scale may differ from what was declared
		return to.checkTemporalText([]byte(s)) == nil
	}
	return true
}
