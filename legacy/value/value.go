package value

import (
	"database/sql/driver"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Column describes a result column, or a table's column that a parameter is written to.
type Column struct {
	Name string
	// Type is the MySQL type as go-sql-driver's DatabaseTypeName gives it: "BIGINT", "UNSIGNED BIGINT", "DECIMAL",
	// "VARCHAR", "VARBINARY", "TEXT", "BLOB", "DATETIME", "ENUM", "SET", "BIT", "JSON", …
	Type string
	// Nullable says that it may hold NULL (true where that is not known).
	Nullable bool
	// Precision and Scale are a DECIMAL's digits; Scale is also the fractional seconds of a temporal type.
	// Known is false where neither is known.
	Precision, Scale int64
	Known            bool
	// Length is the declared length of CHAR, VARCHAR, BINARY, VARBINARY and BIT columns, and the capacity of TEXT columns in
	// bytes; 0 where it is not known.
	Length int64
	// Members are the values of a table's ENUM or SET column, in their order; nil where they are not known.
	Members []string
}

// Encoder appends one column's value to b as wire-format field records of the message that holds the field (tag and
// value, nothing at all for NULL or an implicit-presence zero). The driver value may point into a buffer that the next
// row overwrites: an Encoder copies what it keeps. Errors say what the value is and why the field can't hold it; they
// are for the log, since values may be private.
type Encoder func(b []byte, v driver.Value) ([]byte, error)

// Binder turns a field's value into a driver argument. v is invalid (protoreflect.Value{}) when the field is unset; the
// argument is then NULL. Errors are texts for the caller: what is wrong with the value and what would be right.
type Binder func(v protoreflect.Value) (driver.Value, error)

// Enum is how an enum's values are written in legacy (`-- enum:`). Codes are int64 or string.
type Enum struct {
	ToCode   map[protoreflect.EnumNumber]driver.Value
	FromInt  map[int64]protoreflect.EnumNumber
	FromText map[string]protoreflect.EnumNumber
}

// Codec makes Encoders and Binders. It does not change once in use and is safe for concurrent use.
type Codec struct {
	// Zone is the zone of DATETIME columns and of the session (legacy.time_zone).
	Zone *time.Location
	// Enums are the declared enum codes by the enum's full name.
	Enums map[protoreflect.FullName]*Enum
	// Types finds the messages that google.protobuf.Any holds in JSON columns; nil finds those compiled into Banyan.
	Types Types
}

// Types finds message and extension types by name, as dynamicpb.Types does.
type Types interface {
	protoregistry.MessageTypeResolver
	protoregistry.ExtensionTypeResolver
}
