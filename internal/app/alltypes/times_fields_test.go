package alltypes

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment gives the moment of a TIMESTAMP, which an event has in UTC, and of a DATETIME, which is local time in the
// configured zone: of two moments that its clocks show alike, the first.
func moment(in *scene, event any) (any, error) {
	s, ok := event.(string)
	if !ok {
		return nil, fmt.Errorf("%v is no time", event)
	}
	if strings.HasSuffix(s, "Z") {
		return s, nil
	}
	t, err := time.ParseInLocation("2006-01-02 15:04:05", s, in.zone)
	if err != nil {
		return nil, err
	}
	// Where clocks show a time twice, the library may give either.
	if earlier := t.Add(-time.Hour); earlier.In(in.zone).Format(time.DateTime) == t.In(in.zone).Format(time.DateTime) {
		t = earlier
	}
	return t.UTC().Format(time.RFC3339Nano), nil
}

func instant(v any) (any, error) {
	t, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v))
	return t.UTC().Format(time.RFC3339Nano), err
}

// clock reads -838:59:59.000000.
func clock(event any) (negative bool, hours, minutes, seconds, nanos int64, err error) {
	s, ok := event.(string)
	if !ok {
		return false, 0, 0, 0, 0, fmt.Errorf("%v is no time", event)
	}
	s, negative = strings.CutPrefix(s, "-")
	s, fraction, _ := strings.Cut(s, ".")
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return false, 0, 0, 0, 0, fmt.Errorf("%q is no time", event)
	}
	for i, n := range []*int64{&hours, &minutes, &seconds} {
		if *n, err = strconv.ParseInt(parts[i], 10, 64); err != nil {
			return false, 0, 0, 0, 0, err
		}
	}
	nanos, err = strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return negative, hours, minutes, seconds, nanos, err
}

func duration(_ *scene, event any) (any, error) {
	negative, hours, minutes, seconds, nanos, err := clock(event)
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second + time.Duration(nanos)
	if negative {
		d = -d
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s", err
}

func duration64(v any) (any, error) {
	d, err := time.ParseDuration(fmt.Sprint(v))
	return d.String(), err
}

// parts makes an object of numbers, without the zeros, which protojson leaves out.
func parts(names []string, values ...int64) map[string]any {
	out := map[string]any{}
	for i, name := range names {
		if values[i] != 0 {
			out[name] = json.Number(strconv.FormatInt(values[i], 10))
		}
	}
	return out
}

func timeOfDay(_ *scene, event any) (any, error) {
	_, hours, minutes, seconds, nanos, err := clock(event)
	return parts([]string{"hours", "minutes", "seconds", "nanos"}, hours, minutes, seconds, nanos), err
}

func date(_ *scene, event any) (any, error) {
	var year, month, day int64
	if _, err := fmt.Sscanf(fmt.Sprint(event), "%d-%d-%d", &year, &month, &day); err != nil {
		return nil, err
	}
	return parts([]string{"year", "month", "day"}, year, month, day), nil
}
