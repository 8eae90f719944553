package value

import (
	"database/sql/driver"
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Functions of a parameter, as annotated SQL names them.
const (
	fnPrefix   = "prefix"
	fnSuffix   = "suffix"
	fnContains = "contains"
	fnName     = "name"
	fnJSON     = "json"
)

// Binder makes the Binder that turns a field into a driver argument. fn is the parameter's function: "" for the value,
// "prefix", "suffix" or "contains" for a LIKE pattern, "name" for an enum's short name, "json" for JSON text (protojson:
// lowerCamelCase names, 64-bit integers as strings, compact).
//
// target is the table's column that the parameter is written straight into; nil where it stands in an expression or a
// condition. With it, what MySQL would change without an error is refused: by a *Refusal here when that follows from
// the types, else by an error when a value is bound. A target of a type that is not known is taken as nil.
func (c *Codec) Binder(fd protoreflect.FieldDescriptor, fn string, target *Column) (Binder, error) {
	to := sink(target)
	if fn == fnJSON || fn == "" && to.class == classJSON && shapeOf(fd) != shapeString && shapeOf(fd) != shapeBytes ||
		fn == "" && to.class == classJSON && (fd.IsList() || fd.IsMap()) {
		return c.jsonBinder(fd, to, appendJSON)
	}
	if fd.IsMap() {
		return nil, refuse("map field "+string(fd.Name())+" is no single value", "bind it as JSON text: :json("+string(fd.Name())+")")
	}
	if fd.IsList() {
		if to.class == classSet && fn == "" {
			return c.setBinder(fd, to)
		}
		return nil, refuse("repeated field "+string(fd.Name())+" is no single value",
			"use it in IN (…), run the statement for each element with each=, or bind it as JSON text: :json("+string(fd.Name())+")")
	}
	return c.oneBinder(fd, fn, to)
}

// ElementBinder makes the Binder for one element of a repeated field, as IN lists and each= need it.
func (c *Codec) ElementBinder(fd protoreflect.FieldDescriptor, fn string, target *Column) (Binder, error) {
	if !fd.IsList() {
		return nil, refuse("field "+string(fd.Name())+" has no elements", "make it a repeated field, or use = instead of IN")
	}
	to := sink(target)
	if fn == fnJSON || fn == "" && to.class == classJSON && shapeOf(fd) != shapeString && shapeOf(fd) != shapeBytes {
		return c.jsonBinder(fd, to, appendJSONElement)
	}
	return c.oneBinder(fd, fn, to)
}

// target is where an argument goes. class is classUnknown where it stands in an expression.
type target struct {
	Column
	class class
}

func sink(col *Column) target {
	if col == nil {
		return target{}
	}
	to := target{Column: *col, class: classOf(col.Type)}
	switch col.Type {
	case typeUUID, typeINET4, typeINET6:
		to.class = classText
	}
	return to
}

// any tells that the argument stands in an expression, or that nothing is known of its column.
func (t *target) any() bool { return t.class == classUnknown }

// is tells whether the column is of one of the classes, or not known.
func (t *target) is(classes ...class) bool {
	if t.any() {
		return true
	}
	for _, cl := range classes {
		if t.class == cl {
			return true
		}
	}
	return false
}

var errInvalidText = errors.New("must be valid UTF-8")

func (c *Codec) oneBinder(fd protoreflect.FieldDescriptor, fn string, to target) (Binder, error) {
	sh := shapeOf(fd)
	if sh == shapeWrapper {
		return c.wrapperBinder(fd, fn, to)
	}
	var bind Binder
	var err error
	switch fn {
	case "":
		bind, err = c.plainBinder(fd, sh, to)
	case fnPrefix, fnSuffix, fnContains:
		bind, err = likeBinder(fd, fn, sh, to)
	case fnName:
		bind, err = nameBinder(fd, to)
	default:
		return nil, refuse("there is no function :"+fn, "use :prefix, :suffix, :contains, :name or :json")
	}
	if err != nil {
		return nil, err
	}
	isMessage := fd.Message() != nil // asking the value would allocate
	return func(v protoreflect.Value) (driver.Value, error) {
		if !v.IsValid() || isMessage && !v.Message().IsValid() {
			return nil, nil
		}
		arg, err := bind(v)
		if err != nil {
			return nil, err
		}
		return arg, nil
	}, nil
}

func (c *Codec) plainBinder(fd protoreflect.FieldDescriptor, sh shape, to target) (Binder, error) {
	switch sh {
	case shapeBool:
		return boolBinder(fd, to)
	case shapeInt:
		return intBinder(fd, to)
	case shapeFloat, shapeDouble:
		return floatBinder(fd, to)
	case shapeString:
		return c.stringBinder(fd, to)
	case shapeBytes:
		return bytesBinder(fd, to)
	case shapeEnum:
		return c.enumBinder(fd, to)
	case shapeTimestamp:
		return c.timestampBinder(fd, to)
	case shapeDuration:
		return durationBinder(fd, to)
	case shapeDate:
		return dateBinder(fd, to)
	case shapeTimeOfDay:
		return timeOfDayBinder(fd, to)
	case shapeMoney:
		return moneyBinder(fd, to)
	case shapeDecimal:
		return decimalBinder(fd, to)
	}
	return nil, refuse(describe(fd)+" field "+string(fd.Name())+" is no single value",
		"bind its own fields, such as :"+string(fd.Name())+".field, or JSON text: :json("+string(fd.Name())+")")
}

// wrapperBinder binds what the wrapper holds.
func (c *Codec) wrapperBinder(fd protoreflect.FieldDescriptor, fn string, to target) (Binder, error) {
	inner, err := c.oneBinder(fd.Message().Fields().ByNumber(1), fn, to)
	if err != nil {
		return nil, err
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		if !v.IsValid() || !v.Message().IsValid() {
			return nil, nil
		}
		return inner(part(v, 1))
	}, nil
}

// part gives a field of a message by its number. The number is one that the message's type is known to have.
func part(v protoreflect.Value, num protoreflect.FieldNumber) protoreflect.Value {
	m := v.Message()
	return m.Get(m.Descriptor().Fields().ByNumber(num))
}

// refuseWrite says that a field's value is not written into a column of this type.
func refuseWrite(fd protoreflect.FieldDescriptor, to target, instead string) error {
	return refuse(fmt.Sprintf("%s field %s does not go into the %s column %s", describe(fd), fd.Name(), to.Type, to.Name), instead)
}
