package value

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// timestampBinder gives local time of the Codec's zone as text, or seconds since 1970 for a numeric column.
func (c *Codec) timestampBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	name := ":" + string(fd.Name())
	zone := c.zone()
	switch {
	case to.is(classDateTime, classTimestamp):
		return func(v protoreflect.Value) (driver.Value, error) {
			seconds, nanos, err := timestampOf(v)
			if err != nil {
				return nil, err
			}
			return to.localText(seconds, nanos, zone)
		}, nil
	case to.is(classInt):
		return func(v protoreflect.Value) (driver.Value, error) {
			seconds, nanos, err := timestampOf(v)
			if err == nil && nanos != 0 {
				err = errors.New("must be a whole second")
			}
			if err != nil {
				return nil, err
			}
			return seconds, to.checkInteger(signed(seconds))
		}, nil
	case to.is(classDecimal):
		return func(v protoreflect.Value) (driver.Value, error) {
			seconds, nanos, err := timestampOf(v)
			if err != nil {
				return nil, err
			}
			if seconds < 0 && nanos > 0 { // a decimal number has one sign
				seconds, nanos = seconds+1, nanos-1e9
			}
			return to.writeDecimal(decimalText(seconds, nanos))
		}, nil
	case to.is(classDate):
		return nil, refuseWrite(fd, to, "use google.type.Date, or write DATE("+name+")")
	case to.is(classTime):
		return nil, refuseWrite(fd, to, "use google.type.TimeOfDay, or write TIME("+name+")")
	case to.is(classYear):
		return nil, refuseWrite(fd, to, "write YEAR("+name+")")
	case to.is(classText):
		return nil, refuseWrite(fd, to, "say how it is written: DATE_FORMAT("+name+", '%Y-%m-%d %H:%i:%s') or UNIX_TIMESTAMP("+name+")")
	}
	return nil, refuseWrite(fd, to, "use a field of the column's own kind, or say in SQL how it is converted")
}

func timestampOf(v protoreflect.Value) (seconds, nanos int64, err error) {
	seconds, nanos = part(v, 1).Int(), part(v, 2).Int()
	if seconds < minTimestamp || seconds > maxTimestamp || nanos < 0 || nanos > 999999999 {
		return 0, 0, errors.New("must be a moment of the years 1 to 9999")
	}
	return seconds, nanos, nil
}

// localText refuses a moment whose text would be read as another one.
func (t *target) localText(seconds, nanos int64, zone *time.Location) (driver.Value, error) {
	at := time.Unix(seconds, 0).In(zone)
	if at.Year() < 1 || at.Year() > 9999 {
		return nil, fmt.Errorf("must be a moment of the years 1 to 9999 in %s", zone)
	}
	_, offset := at.Zone()
	first, twice, _ := instantOf(seconds+int64(offset), zone)
	if first != seconds {
		return nil, fmt.Errorf("is in the hour that the clocks of %s show a second time; the column can't tell it from the first", zone)
	}
	if twice && t.class == classTimestamp {
		return nil, fmt.Errorf("is in the hour that the clocks of %s show twice; the column would hold either", zone)
	}
	decimals, err := t.decimals(nanos)
	if err != nil {
		return nil, err
	}
	return at.Format("2006-01-02 15:04:05") + decimals, nil
}

// decimals writes nanoseconds after a point, as many digits as it takes, and refuses those that the column drops.
func (t *target) decimals(nanos int64) (string, error) {
	if nanos == 0 {
		return "", nil
	}
	text := strings.TrimRight(fmt.Sprintf(".%09d", nanos), "0")
	most := 6
	if t.Known && t.Scale < 6 {
		most = int(t.Scale)
	}
	if len(text)-1 > most {
		return "", scaleError(most)
	}
	return text, nil
}

func scaleError(most int) error {
	if most == 0 {
		return errors.New("must be a whole second")
	}
	return fmt.Errorf("must have at most %d decimals of a second", most)
}

func durationBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	if !to.is(classTime) {
		instead := "use a field of the column's own kind, or say in SQL how it is converted"
		if to.is(classInt, classDecimal, classFloat, classDouble) {
			instead = "say that it is seconds: TIME_TO_SEC(:" + string(fd.Name()) + ")"
		}
		return nil, refuseWrite(fd, to, instead)
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		seconds, nanos := part(v, 1).Int(), part(v, 2).Int()
		if seconds > 0 && nanos < 0 || seconds < 0 && nanos > 0 || nanos < -999999999 || nanos > 999999999 {
			return nil, errors.New("seconds and nanos must have the same sign, and nanos less than a second")
		}
		if seconds < -maxTimeSeconds || seconds > maxTimeSeconds {
			return nil, errors.New("must be from -838:59:59.999999 to 838:59:59.999999 hours")
		}
		sign := ""
		if seconds < 0 || nanos < 0 {
			sign, seconds, nanos = "-", -seconds, -nanos
		}
		decimals, err := to.decimals(nanos)
		if err != nil {
			return nil, err
		}
		return sign + clockText(seconds) + decimals, nil
	}, nil
}

func clockText(seconds int64) string {
	return fmt.Sprintf("%02d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

func timeOfDayBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	if !to.is(classTime) {
		return nil, refuseWrite(fd, to, "use a field of the column's own kind, or write TIME_TO_SEC(:"+string(fd.Name())+") for seconds")
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		hour, minute, second, nanos := part(v, 1).Int(), part(v, 2).Int(), part(v, 3).Int(), part(v, 4).Int()
		whole := hour == 24 && minute == 0 && second == 0 && nanos == 0
		if !whole && (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || nanos < 0 || nanos > 999999999) {
			return nil, errors.New("must be from 00:00:00 to 23:59:59.999999, or 24:00:00")
		}
		decimals, err := to.decimals(nanos)
		if err != nil {
			return nil, err
		}
		return clockText(hour*3600+minute*60+second) + decimals, nil
	}, nil
}

func dateBinder(fd protoreflect.FieldDescriptor, to target) (Binder, error) {
	name := ":" + string(fd.Name())
	if !to.is(classDate) {
		instead := "use a field of the column's own kind, or say in SQL how it is converted"
		switch {
		case to.is(classDateTime, classTimestamp):
			instead = "use google.protobuf.Timestamp, or write TIMESTAMP(" + name + ") for midnight"
		case to.is(classText):
			instead = "say how it is written: CAST(" + name + " AS CHAR)"
		case to.is(classYear):
			instead = "bind the year: " + name + ".year"
		}
		return nil, refuseWrite(fd, to, instead)
	}
	return func(v protoreflect.Value) (driver.Value, error) {
		year, month, day := part(v, 1).Int(), part(v, 2).Int(), part(v, 3).Int()
		c := civil{year: int(year), month: int(month), day: int(day)}
		if year < 0 || year > 9999 || month < 0 || month > 12 || day < 0 || day > 31 || c.dateParts() != nil {
			return nil, errors.New("must be a date of the calendar up to the year 9999, or a year, a year and month, or a month and day")
		}
		return fmt.Sprintf("%04d-%02d-%02d", year, month, day), nil
	}, nil
}

// canonical tells whether s is how MySQL writes c, but for zeros at the end of the fraction.
func (c clock) canonical(s []byte) bool {
	sign := ""
	if c.neg {
		if c.seconds == 0 && c.nanos == 0 {
			return false
		}
		sign = "-"
	}
	return strings.HasPrefix(string(s), sign+clockText(c.seconds))
}

// checkLocalText refuses, besides, text that a TIMESTAMP column would take for either of two moments, or for none.
func (t *target) checkLocalText(s []byte, zone *time.Location) error {
	if err := t.checkTemporalText(s); err != nil || t.class != classTimestamp {
		return err
	}
	local, _, _ := parseCivil(s)
	switch _, twice, err := local.moment(zone); {
	case errors.Is(err, errGap):
		return fmt.Errorf("is in the hour that the clocks of %s skip", zone)
	case twice:
		return fmt.Errorf("is in the hour that the clocks of %s show twice; the column would hold either", zone)
	}
	return nil
}

// checkTemporalText refuses text that is not written as the column writes it.
func (t *target) checkTemporalText(s []byte) error {
	var decimals int
	var ok bool
	var form string
	switch t.class {
	case classDate:
		form = "YYYY-MM-DD"
		_, _, ok = parseCivil(s)
		ok = ok && len(s) == len(form)
	case classTime:
		form = "[-]HH:MM:SS[.ffffff], up to 838:59:59.999999"
		var c clock
		c, decimals, ok = parseClock(s)
		ok = ok && c.canonical(s)
	default:
		form = "YYYY-MM-DD HH:MM:SS[.ffffff]"
		_, decimals, ok = parseCivil(s)
		ok = ok && len(s) > len("YYYY-MM-DD")
	}
	if !ok {
		return errors.New("must be written as " + form)
	}
	if t.Known && int64(decimals) > t.Scale {
		return scaleError(int(t.Scale))
	}
	return nil
}
