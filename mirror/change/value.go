package change

// Kind says what a Value is, and how it is to be read.
type Kind uint8

// The kinds of values. What each column type becomes is said in docs/types.md.
const (
	// Absent is a column that the row image doesn't have. The mirror demands full images, so it is a fault.
	Absent Kind = iota
	// Null is SQL's NULL.
	Null
	// Int is a signed integer of at most 32 bits, as int64 in Num.
	Int
	// Uint is an unsigned integer of at most 32 bits, in Num. YEAR is one, too.
	Uint
	// BigInt is a BIGINT, as int64 in Num.
	BigInt
	// BigUint is a BIGINT UNSIGNED or a BIT, in Num.
	BigUint
	// Float is a FLOAT: math.Float32bits in Num.
	Float
	// Double is a DOUBLE: math.Float64bits in Num.
	Double
	// Decimal is a DECIMAL as MySQL writes it, with all digits of its scale, in Text.
	Decimal
	// String is text in UTF-8, whatever the column's charset is: CHAR, VARCHAR, TEXT and ENUM, and SET as MySQL writes it.
	String
	// Bytes are BINARY (with its trailing zeros), VARBINARY, BLOB, GEOMETRY and VECTOR, as they are.
	Bytes
	// Temporal is a DATE, DATETIME or TIME as MySQL writes it, with all decimals of its precision, zero dates too.
	Temporal
	// Instant is a TIMESTAMP in UTC, as RFC 3339 with all decimals of its precision. Its zero value is a Temporal.
	Instant
	// JSON is a JSON column's value as JSON text.
	JSON
	// Garbled are bytes of a text column that are no text in its charset, or whose charset is unknown, as they are.
	Garbled
)

// Value is the value of one column.
type Value struct {
	Kind Kind
	// Num has numbers, in the form that Kind says.
	Num uint64
	// Text has everything else.
	Text []byte
}

// Column is a column as it was when the row changed.
type Column struct {
	Name string
	// Type is the column's type as DDL writes it, as far as the log has it: "bigint unsigned", "decimal(15,4)".
	Type string
}

// Table is a table as it was when its rows changed. A source gives the same pointer as long as nothing about it changed.
type Table struct {
	Schema, Name string
	Columns      []Column
	// Key are the indexes of the primary key's columns, in its order; none when it has none.
	Key []int
}

// Row is one changed row. Values are in the order of Table.Columns.
type Row struct {
	// Before is the row as it was; nil for an insert.
	Before []Value
	// After is the row as it is; nil for a delete.
	After []Value
}
