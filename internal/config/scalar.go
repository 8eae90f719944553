package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// The UnmarshalText methods of this file say what a right value looks like; they never repeat the wrong one, which may
// have come from the environment.

// Size is a number of bytes, written as 4MiB, 512KiB or a plain number.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String writes a size with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return "0"
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(digits, u.name); ok {
			digits, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n > uint64(math.MaxInt64/unit) {
		return errors.New("write a size such as 512KiB, 4MiB, 1GiB, or a number of bytes")
	}
	*s = Size(int64(n) * unit)
	return nil
}

// Zone is a time zone as MySQL knows it: an IANA name or an offset.
type Zone struct {
	// Name is the zone as it is written: Europe/Madrid or +02:00.
	Name     string
	Location *time.Location
}

// String gives the name.
func (z Zone) String() string { return z.Name }

// UnmarshalText reads a zone.
func (z *Zone) UnmarshalText(text []byte) error {
	name := string(text)
	wrong := errors.New("write an IANA zone such as Europe/Madrid, or an offset such as +02:00")
	if name == "" || name == "Local" {
		return wrong
	}
	if name[0] == '+' || name[0] == '-' {
		t, err := time.Parse("-07:00", name)
		_, offset := t.Zone()
		if limit := 14 * 3600; err != nil || offset > limit || offset < -limit {
			return wrong
		}
		*z = Zone{Name: name, Location: time.FixedZone(name, offset)}
		return nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return wrong
	}
	*z = Zone{Name: name, Location: loc}
	return nil
}

// Address is host:port to listen on. An empty host is every address of the machine.
type Address string

// UnmarshalText reads an address.
func (a *Address) UnmarshalText(text []byte) error {
	host, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return errors.New("write host:port, such as 127.0.0.1:8080 or [::1]:8080")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("a port is a number from 0 to 65535; 0 takes a free one")
	}
	if strings.ContainsAny(host, " /@") {
		return errors.New("the host is a name or an IP address, without a scheme or a path")
	}
	*a = Address(text)
	return nil
}

// Loopback tells whether only this machine reaches the address. A name other than localhost is taken as reachable.
func (a Address) Loopback() bool {
	host, _, err := net.SplitHostPort(string(a))
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// fixedPort tells whether two listeners on the same address would clash.
func (a Address) fixedPort() bool {
	_, port, err := net.SplitHostPort(string(a))
	return err == nil && strings.Trim(port, "0") != ""
}

// Level is the least important level that is logged.
type Level slog.Level

// String gives the level as it is written.
func (l Level) String() string { return strings.ToLower(slog.Level(l).String()) }

// UnmarshalText reads a level.
func (l *Level) UnmarshalText(text []byte) error {
	for _, known := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if Level(known).String() == string(text) {
			*l = Level(known)
			return nil
		}
	}
	return errors.New("write debug, info, warn or error")
}

// Format is how log lines are written.
type Format string

const (
	// JSON writes a JSON object a line.
	JSON Format = "json"
	// Text writes key=value pairs, for people.
	Text Format = "text"
)

// UnmarshalText reads a format.
func (f *Format) UnmarshalText(text []byte) error {
	if v := Format(text); v == JSON || v == Text {
		*f = v
		return nil
	}
	return errors.New("write json or text")
}

// EventFormat is how events have the messages of entities.
type EventFormat string

const (
	// EventJSON is protobuf's JSON, as data.
	EventJSON EventFormat = "json"
	// EventProtobuf is protobuf's bytes, as proto.
	EventProtobuf EventFormat = "protobuf"
)

// UnmarshalText reads a format.
func (f *EventFormat) UnmarshalText(text []byte) error {
	if v := EventFormat(text); v == EventJSON || v == EventProtobuf {
		*f = v
		return nil
	}
	return errors.New("write json or protobuf")
}

// Secret is a value that is never printed: String, Format, JSON and slog all show "[secret]" in its place.
type Secret struct {
	text *string // a pointer, so that fmt shows no more than an address even inside of unexported fields
}

const hidden = "[secret]"

// NewSecret hides text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal gives the value, for those who need it to do their work.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// UnmarshalText takes any text but an empty one.
func (s *Secret) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("it must not be empty")
	}
	*s = NewSecret(string(text))
	return nil
}

// String hides the value.
func (s Secret) String() string { return hidden }

// GoString hides the value.
func (s Secret) GoString() string { return hidden }

// Format hides the value from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// LogValue hides the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Name is a name that is used as it is in SQL, queues and URLs.
type Name string

// String gives the name.
func (n Name) String() string { return string(n) }

// UnmarshalText reads a name: letters, digits, dots, dashes and underscores, at most 48.
func (n *Name) UnmarshalText(text []byte) error {
	ok := len(text) > 0 && len(text) <= 48
	for _, c := range text {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_')
	}
	if !ok {
		return errors.New("write up to 48 letters, digits, dots, dashes and underscores")
	}
	*n = Name(text)
	return nil
}

// Instant is a point in time, written as a day in UTC or with its time and zone. Its zero is none.
type Instant struct{ time.Time }

// UnmarshalText reads a day or a time.
func (i *Instant) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, string(text)); err == nil && t.Year() > 1970 {
			i.Time = t
			return nil
		}
	}
	return errors.New("write a day such as 2027-06-30, or a time such as 2027-06-30T12:00:00Z")
}
