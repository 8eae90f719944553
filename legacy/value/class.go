package value

import "strings"

// class groups the MySQL types whose values are handled alike.
type class int

const (
	classUnknown class = iota
	classNull
	classInt
	classYear
	classBit
	classDecimal
	classFloat
	classDouble
	classText
	classEnum
	classSet
	classBinary
	classJSON
	classDateTime
	classTimestamp
	classDate
	classTime
	classGeometry
	classVector
)

// classOf sorts a DatabaseTypeName.
func classOf(typ string) class {
	switch strings.TrimPrefix(typ, "UNSIGNED ") {
	case "NULL":
		return classNull
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT":
		return classInt
	case "YEAR":
		return classYear
	case "BIT":
		return classBit
	case "DECIMAL":
		return classDecimal
	case "FLOAT":
		return classFloat
	case "DOUBLE":
		return classDouble
	case "CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT":
		return classText
	case "ENUM":
		return classEnum
	case "SET":
		return classSet
	case "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB":
		return classBinary
	case "JSON":
		return classJSON
	case "DATETIME":
		return classDateTime
	case "TIMESTAMP":
		return classTimestamp
	case "DATE":
		return classDate
	case "TIME":
		return classTime
	case "GEOMETRY":
		return classGeometry
	case "VECTOR":
		return classVector
	}
	return classUnknown
}

// intRange gives the smallest and the largest value of an integer type.
func intRange(typ string) (lo int64, hi uint64) {
	base, unsigned := strings.CutPrefix(typ, "UNSIGNED ")
	bits := map[string]uint{"TINYINT": 8, "SMALLINT": 16, "MEDIUMINT": 24, "INT": 32, "BIGINT": 64}[base]
	if unsigned {
		return 0, 1<<bits - 1
	}
	return -1 << (bits - 1), 1<<(bits-1) - 1
}
