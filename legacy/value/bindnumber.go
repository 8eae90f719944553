package value

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// boolBinder gives 0 or 1.
func boolBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	if !to.is(classInt, classBit, classDecimal, classFloat, classDouble) {
		return nil, refuseWrite(fd, to, "write IF(:"+string(fd.Name())+", 'Y', 'N') with the column's own values")
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		if v.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	}, nil
}

func intBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	name := string(fd.Name())
	switch {
	case to.is(classInt, classYear, classBit, classDecimal, classFloat, classDouble, classText):
	case to.is(classEnum, classSet):
		return nil, refuseWrite(fd, to, "a number there is an index: write ELT(:"+name+", 'FIRST', 'SECOND')")
	case to.is(classDateTime, classTimestamp):
		return nil, refuseWrite(fd, to, "write FROM_UNIXTIME(:"+name+"), or use google.protobuf.Timestamp")
	case to.is(classDate):
		return nil, refuseWrite(fd, to, "use google.type.Date, or write STR_TO_DATE(:"+name+", '%Y%m%d')")
	case to.is(classTime):
		return nil, refuseWrite(fd, to, "write SEC_TO_TIME(:"+name+"), or use google.protobuf.Duration")
	default:
		return nil, refuseWrite(fd, to, "use a bytes field")
	}
	unsigned := fd.Kind() == protoreflect.Uint64Kind || fd.Kind() == protoreflect.Fixed64Kind
	small := fd.Kind() == protoreflect.Uint32Kind || fd.Kind() == protoreflect.Fixed32Kind
	return func(v protoreflect.Value) (driver.Value, error) {
		var n integer
		if unsigned || small {
			n = integer{bits: v.Uint()}
		} else {
			n = signed(v.Int())
		}
		if err := to.checkInteger(n); err != nil {
			return nil, err
		}
		if unsigned {
			return n.bits, nil
		}
		return int64(n.bits), nil
	}, nil
}

// checkInteger refuses a number that the column does not hold as it is.
func (t *target) checkInteger(n integer) error {
	switch t.class {
	case classInt:
		lo, hi := intRange(t.Type)
		if !n.within(lo, hi) {
			return fmt.Errorf("must be from %d to %d", lo, hi)
		}
	case classYear:
		if n.bits != 0 && (n.neg || n.bits < 1901 || n.bits > 2155) { // MySQL takes 1 to 99 for years near 2000
			return errors.New("must be 0 or a year from 1901 to 2155")
		}
	case classBit:
		width := t.Length
		if width <= 0 || width > 64 {
			width = 64
		}
		if n.neg || width < 64 && n.bits >= 1<<uint(width) {
			return fmt.Errorf("must be from 0 to %d", uint64(math.MaxUint64)>>(64-uint(width)))
		}
	case classDecimal:
		var buf [20]byte
		d, _ := parsePlain(n.appendTo(buf[:0]))
		return t.checkDecimal(d)
	case classFloat, classDouble:
		if !exactInteger(n, t.class == classFloat) {
			return errors.New("has more digits than the column holds")
		}
	}
	return nil
}

// exactInteger tells whether a float (24 bits of mantissa) or double (53) holds n as it is.
func exactInteger(n integer, float bool) bool {
	mantissa := 53
	if float {
		mantissa = 24
	}
	magnitude := n.bits
	if n.neg {
		magnitude = -magnitude
	}
	for magnitude != 0 && magnitude&1 == 0 {
		magnitude >>= 1
	}
	return magnitude < 1<<uint(mantissa)
}

func floatBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	name := string(fd.Name())
	switch {
	case to.is(classFloat, classDouble):
	case to.is(classDecimal, classInt, classBit, classYear):
		return nil, refuseWrite(fd, to, "MySQL would round it: write ROUND(:"+name+", decimals), or use string or google.type.Decimal")
	case to.is(classText):
		return nil, refuseWrite(fd, to, "say how it is written: CAST(:"+name+" AS CHAR)")
	default:
		return nil, refuseWrite(fd, to, "use a field of the column's own kind, or say in SQL how it is converted")
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		d := v.Float()
		if math.IsNaN(d) || math.IsInf(d, 0) {
			return nil, errors.New("must be a finite number")
		}
		if to.class == classFloat && float64(float32(d)) != d {
			return nil, errors.New("has more digits than the column holds (a FLOAT holds about 7)")
		}
		if err := to.checkFixed(d); err != nil {
			return nil, err
		}
		return d, nil
	}, nil
}

// checkFixed refuses what FLOAT(M,D) and DOUBLE(M,D) columns would round to D decimals.
func (t *target) checkFixed(d float64) error {
	const most = 30 // decimals that such a column can be declared with
	if !t.Known || t.Scale > most || t.class != classFloat && t.class != classDouble {
		return nil
	}
	bits := 64
	if t.class == classFloat {
		bits = 32
	}
	back, err := strconv.ParseFloat(strconv.FormatFloat(d, 'f', int(t.Scale), bits), bits)
	if err != nil || back != d {
		return fmt.Errorf("must have at most %d decimals", t.Scale)
	}
	return nil
}
