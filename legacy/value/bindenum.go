package value

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// enumBinder gives the code that `-- enum:` declares, or the number of an enum without declaration.
func (c *Codec) enumBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	ed := fd.Enum()
	name := string(fd.Name())
	if !to.is(classInt, classText, classEnum) {
		return nil, refuseWrite(fd, to, "choose in SQL: CASE :name("+name+") WHEN 'NAME' THEN … END")
	}
	codes := c.Enums[ed.FullName()]
	if codes == nil {
		if !to.is(classInt) {
			return nil, refuseWrite(fd, to, "write its name with :name("+name+"), or declare its codes with `-- enum: "+string(ed.FullName())+" NAME='code'`")
		}
		return enumNumberBinder(ed, to), nil
	}
	if err := codesFit(fd, codes, to); err != nil {
		return nil, err
	}
	names := codedNames(ed, codes)
	return func(v protoreflect.Value) (driver.Value, error) {
		code, ok := codes.ToCode[v.Enum()]
		if !ok {
			return nil, errors.New("must be one of " + names)
		}
		return code, to.checkCode(code)
	}, nil
}

func enumNumberBinder(ed protoreflect.EnumDescriptor, to target) Binder {
	values := ed.Values()
	return func(v protoreflect.Value) (driver.Value, error) {
		if values.ByNumber(v.Enum()) == nil {
			return nil, fmt.Errorf("must be a value of %s; %d is none", ed.FullName(), v.Enum())
		}
		n := signed(int64(v.Enum()))
		return int64(v.Enum()), to.checkInteger(n)
	}
}

// codesFit refuses codes of the other kind than the column's: a number in a text column, text in an integer column.
func codesFit(fd protoreflect.FieldDescriptor, codes *Enum, to target) error {
	if to.any() {
		return nil
	}
	for _, code := range codes.ToCode {
		_, text := code.(string)
		if text == (to.class == classInt) {
			return refuseWrite(fd, to, "`-- enum: "+string(fd.Enum().FullName())+
				"` declares codes of another kind: quote codes of text columns, or choose in SQL with :name("+string(fd.Name())+")")
		}
	}
	return nil
}

func (t *target) checkCode(code driver.Value) error {
	switch code := code.(type) {
	case string:
		return t.checkText([]byte(code))
	case int64:
		return t.checkInteger(signed(code))
	}
	return nil
}

// codedNames lists the values that have a code, in the enum's order.
func codedNames(ed protoreflect.EnumDescriptor, codes *Enum) string {
	var names []string
	values := ed.Values()
	for i := range values.Len() {
		if _, ok := codes.ToCode[values.Get(i).Number()]; ok {
			names = append(names, string(values.Get(i).Name()))
		}
	}
	return strings.Join(names, ", ")
}

// nameBinder gives an enum's short name.
func nameBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	if shapeOf(fd) != shapeEnum {
		return nil, refuse(":name gives an enum's name; "+string(fd.Name())+" is "+describe(fd), "leave the function out")
	}
	if !to.is(classText, classEnum) {
		return nil, refuseWrite(fd, to, "a name is text: leave :name out, or choose a code in SQL with CASE")
	}
	ed := fd.Enum()
	names := make(map[protoreflect.EnumNumber]string)
	values := ed.Values()
	for i := range values.Len() {
		if n := values.Get(i).Number(); names[n] == "" { // of aliases the first
			names[n] = shortName(ed, values.Get(i))
		}
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		name, ok := names[v.Enum()]
		if !ok {
			return nil, fmt.Errorf("must be a value of %s; %d is none", ed.FullName(), v.Enum())
		}
		return name, to.checkText([]byte(name))
	}, nil
}

// setBinder joins the elements of a repeated string or enum field for a SET column.
func (c *Codec) setBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	var member func(v protoreflect.Value) (string, error)
	switch shapeOf(fd) {
	case shapeString:
		member = func(v protoreflect.Value) (string, error) { return v.String(), nil } //nolint:unparam // The other one can fail.
	case shapeEnum:
		text, err := c.memberBinder(fd)
		if err != nil {
			return nil, err
		}
		member = text
	default:
		return nil, refuseWrite(fd, to, "use a repeated string or enum field")
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		if !v.IsValid() {
			return nil, nil
		}
		members := make([]string, v.List().Len())
		for i := range members {
			s, err := member(v.List().Get(i))
			if err != nil {
				return nil, err
			}
			if s == "" || strings.ContainsRune(s, ',') {
				return nil, errors.New("must not have elements that are empty or contain a comma")
			}
			members[i] = s
		}
		joined := strings.Join(members, ",")
		return joined, to.checkMembers(joined)
	}, nil
}

// memberBinder gives an enum's text code, or its short name where none are declared.
func (c *Codec) memberBinder(fd protoreflect.FieldDescriptor) (func(v protoreflect.Value) (string, error), error) {
	text := target{class: classText}
	bind, err := nameBinder(fd, text)
	if e := c.Enums[fd.Enum().FullName()]; e != nil && len(e.FromText) > 0 {
		bind, err = c.enumBinder(fd, text)
	}
	if err != nil {
		return nil, err
	}
	return func(v protoreflect.Value) (string, error) {
		code, err := bind(v)
		if err != nil {
			return "", err
		}
		s, _ := code.(string)
		return s, nil
	}, nil
}
