package value

import (
	"database/sql/driver"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Refusal says that a conversion is not offered, and what to write instead.
type Refusal struct {
	// What says which conversion is meant and why it is not offered.
	What string
	// Instead says what to write in the SQL or in the contract.
	Instead string
}

// Error gives "what (instead)".
func (r *Refusal) Error() string { return r.What + " (" + r.Instead + ")" }

func refuse(what, instead string) error { return &Refusal{What: what, Instead: instead} }

// unexpected is for a driver value of a Go type that the column's type never gives.
func unexpected(col Column, v driver.Value) error {
	return fmt.Errorf("column %s: a %s column gave a %T, which can't be carried", col.Name, col.Type, v)
}

// show gives a driver value as text for a log.
func show(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b)
	}
	return fmt.Sprint(v)
}

// misfit is for a value that the field can't hold.
func misfit(col Column, f field, format string, args ...any) error {
	return fmt.Errorf("column %s into field %s: "+format, append([]any{col.Name, f.name}, args...)...)
}

// refuseRead says that a column of this type does not go into this field.
func refuseRead(col Column, fd protoreflect.FieldDescriptor) error {
	what := fmt.Sprintf("%s column %s does not go into the %s field %s", col.Type, col.Name, describe(fd), fd.Name())
	return refuse(what, insteadOfRead(classOf(col.Type), fd))
}

func insteadOfRead(cl class, fd protoreflect.FieldDescriptor) string {
	if cl == classUnknown {
		return "CAST the column to a type that is listed in docs/conversions.md"
	}
	if fd.IsMap() || fd.IsList() {
		if cl == classBinary {
			return "give the field's value as JSON text: CONVERT(col USING utf8mb4)"
		}
		return "give the field's value as JSON text, such as JSON_ARRAY(col), or fill the field from rows with into="
	}
	switch shapeOf(fd) {
	case shapeBool:
		return insteadForBool(cl)
	case shapeInt:
		return insteadForInt(cl)
	case shapeFloat, shapeDouble:
		return insteadForFloat(cl, fd)
	case shapeString:
		return insteadForString(cl)
	case shapeBytes:
		return "use CAST(col AS BINARY) to get the column's text as bytes"
	case shapeEnum:
		return insteadForEnum(cl)
	case shapeTimestamp:
		return insteadForTimestamp(cl)
	case shapeDuration:
		return insteadForDuration(cl)
	case shapeDate:
		return insteadForDate(cl)
	case shapeTimeOfDay:
		return insteadForTimeOfDay(cl)
	case shapeMoney:
		return insteadForMoney(cl)
	case shapeDecimal:
		return insteadForDecimal(cl)
	case shapeWrapper:
		return insteadOfRead(cl, fd.Message().Fields().ByNumber(1))
	case shapeFieldMask:
		return "fill its paths as a repeated string: JSON text or a SET column with the alias field.paths"
	case shapeGroup:
		return "groups are not served: use a message field"
	}
	switch cl {
	case classBinary:
		return "give the message as JSON text: CONVERT(col USING utf8mb4)"
	case classGeometry:
		return "use a bytes field, or ST_AsGeoJSON(col) for a google.protobuf.Struct"
	}
	return "fill the message's own fields by alias, such as AS \"" + string(fd.Name()) + ".field\", or give it as JSON text: JSON_OBJECT('field', col)"
}
