package value

import (
	"database/sql/driver"
	"errors"
	"time"
)

// timestampEncoder carries DATETIME and TIMESTAMP as local time of the Codec's zone, integers and DECIMALs as seconds
// since 1970.
func (c *Codec) timestampEncoder(col Column, cl class, f field) Encoder {
	zone := c.zone()
	var read func(v driver.Value) (seconds int64, nanos int32, err error)
	switch cl {
	case classDateTime, classTimestamp:
		stored := cl == classTimestamp
		read = func(v driver.Value) (int64, int32, error) { return readLocal(v, zone, stored) }
	case classInt:
		read = readEpoch
	case classDecimal:
		read = readDecimalEpoch
	default:
		return nil
	}
	return func(b []byte, v driver.Value) ([]byte, error) {
		if v == nil {
			return b, nil
		}
		seconds, nanos, err := read(v)
		if errors.Is(err, errGoType) {
			return b, unexpected(col, v)
		}
		if err != nil {
			return b, misfit(col, f, "%s is no google.protobuf.Timestamp: %w", show(v), err)
		}
		b, start := beginMessage(b, f.num)
		b = appendSecondsNanos(b, 1, seconds, nanos)
		return endMessage(b, start), nil
	}
}

var (
	errGoType = errors.New("unexpected Go type")
	errTwice  = errors.New("the session's clock shows it twice in that night, so its text does not say which moment it is; write UNIX_TIMESTAMP(col)")
)

// readLocal reads local time. What a TIMESTAMP column stores is a moment already: where its text could be two of them,
// nothing is guessed.
func readLocal(v driver.Value, zone *time.Location, stored bool) (int64, int32, error) {
	s, ok := textOf(v)
	if !ok || len(s) < 19 {
		return 0, 0, errGoType
	}
	c, _, ok := parseCivil(s)
	if !ok {
		return 0, 0, errGoType
	}
	seconds, twice, err := c.moment(zone)
	if err == nil && twice && stored {
		err = errTwice
	}
	return seconds, c.nanos, err
}

// timestampTextEncoder carries a TIMESTAMP as the session's clock shows it, unless that could be two moments.
func (c *Codec) timestampTextEncoder(col Column, f field) Encoder {
	zone := c.zone()
	return eachText(col, func(b, s []byte) ([]byte, error) {
		local, _, ok := parseCivil(s)
		if !ok {
			return b, unexpected(col, s)
		}
		if _, twice, err := local.moment(zone); err == nil && twice {
			return b, misfit(col, f, "%s is no single moment: %w", show(s), errTwice)
		}
		return f.appendBytes(b, s), nil
	})
}

func readEpoch(v driver.Value) (int64, int32, error) { //nolint:unparam // The other readers give nanoseconds.
	n, ok := integerOf(v)
	if !ok {
		return 0, 0, errGoType
	}
	if !n.within(minTimestamp, maxTimestamp) {
		return 0, 0, errRange
	}
	return int64(n.bits), 0, nil
}

func readDecimalEpoch(v driver.Value) (int64, int32, error) {
	d, ok := decimalOf(v)
	if !ok {
		return 0, 0, errGoType
	}
	seconds, nanos, err := d.unitsNanos()
	if err != nil {
		return 0, 0, err
	}
	if nanos < 0 { // a Timestamp's nanos count forward
		seconds--
		nanos += 1e9
	}
	if seconds < minTimestamp || seconds > maxTimestamp {
		return 0, 0, errRange
	}
	return seconds, nanos, nil
}
