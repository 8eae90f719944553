package value

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

func zoneNamed(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestLocalTime(t *testing.T) {
	for _, tc := range []struct {
		zone, typ, text, want, fails string
	}{
		{zone: "UTC", typ: "DATETIME", text: "2024-03-31 02:30:00", want: "2024-03-31T02:30:00Z"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-03-31 01:59:59", want: "2024-03-31T00:59:59Z"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-03-31 02:00:00", fails: "skip it"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-03-31 02:59:59.9", fails: "skip it"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-03-31 03:00:00", want: "2024-03-31T01:00:00Z"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-10-27 01:59:59", want: "2024-10-26T23:59:59Z"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-10-27 02:00:00", want: "2024-10-27T00:00:00Z"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-10-27 02:59:59", want: "2024-10-27T00:59:59Z"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2024-10-27 03:00:00", want: "2024-10-27T02:00:00Z"},
		{zone: "Europe/Berlin", typ: "TIMESTAMP", text: "2024-10-27 02:30:00", fails: "UNIX_TIMESTAMP(col)"},
		{zone: "Europe/Berlin", typ: "TIMESTAMP", text: "2024-10-27 03:00:00", want: "2024-10-27T02:00:00Z"},
		{zone: "Australia/Lord_Howe", typ: "DATETIME", text: "2024-04-07 01:45:00", want: "2024-04-06T14:45:00Z"},
		{zone: "Australia/Lord_Howe", typ: "DATETIME", text: "2024-10-06 02:15:00", fails: "skip it"},
		{zone: "Pacific/Apia", typ: "DATETIME", text: "2011-12-30 12:00:00", fails: "skip it"},
		{zone: "Pacific/Apia", typ: "DATETIME", text: "2011-12-31 00:00:00", want: "2011-12-30T10:00:00Z"},
		{zone: "America/New_York", typ: "DATETIME", text: "9999-12-31 23:59:59", fails: "years 1 to 9999"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2040-12-31 05:00:00", want: "2040-12-31T04:00:00Z"}, // where Time.ZoneBounds errs
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2400-07-01 05:00:00", want: "2400-07-01T03:00:00Z"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "2023-02-29 00:00:00", fails: "no such day"},
		{zone: "Europe/Berlin", typ: "DATETIME", text: "garbage", fails: "can't be carried"},
	} {
		t.Run(tc.zone+" "+tc.typ+" "+tc.text, func(t *testing.T) {
			c := &Codec{Zone: zoneNamed(t, tc.zone)}
			enc, err := c.Encoder(Column{Name: "c", Type: tc.typ}, fieldNamed(t, "ts"))
			if err != nil {
				t.Fatal(err)
			}
			wire, err := enc(nil, []byte(tc.text))
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Fatalf("got %x, %v, want an error with %q", wire, err, tc.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := wantMessage(t, `{"ts":"`+tc.want+`"}`); !proto.Equal(decode(t, wire), want) {
				t.Fatalf("got %v, want %v", decode(t, wire), want)
			}
		})
	}
}

func TestMomentInZone(t *testing.T) {
	for _, tc := range []struct {
		typ, moment, want, fails string
	}{
		{typ: "DATETIME", moment: "2024-10-27T00:30:00Z", want: "2024-10-27 02:30:00"},
		{typ: "DATETIME", moment: "2024-10-27T01:30:00Z", fails: "a second time"},
		{typ: "TIMESTAMP", moment: "2024-10-27T00:30:00Z", fails: "show twice"},
		{typ: "DATETIME", moment: "2024-03-31T01:00:00Z", want: "2024-03-31 03:00:00"},
		{typ: "BIGINT", moment: "2024-10-27T01:30:00Z", want: "1729992600"},
	} {
		t.Run(tc.typ+" "+tc.moment, func(t *testing.T) {
			c := &Codec{Zone: zoneNamed(t, "Europe/Berlin")}
			fd := fieldNamed(t, "ts")
			bind, err := c.Binder(fd, "", &Column{Name: "c", Type: tc.typ})
			if err != nil {
				t.Fatal(err)
			}
			got, err := bind(wantMessage(t, `{"ts":"`+tc.moment+`"}`).Get(fd))
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Fatalf("got %v, %v, want an error with %q", got, err, tc.fails)
				}
				return
			}
			if err != nil || show(got) != tc.want {
				t.Fatalf("got %v, %v, want %s", got, err, tc.want)
			}
		})
	}
}

// FuzzZone: a moment either goes into a column and comes back, or is refused.
func FuzzZone(f *testing.F) {
	zones := []*time.Location{time.UTC, zoneNamed(f, "Europe/Berlin"), zoneNamed(f, "Australia/Lord_Howe"), zoneNamed(f, "Pacific/Apia"), zoneNamed(f, "Africa/Monrovia")}
	f.Add(int64(1729989000), uint8(1))
	f.Add(int64(minTimestamp), uint8(2))
	f.Add(int64(maxTimestamp), uint8(3))
	f.Fuzz(func(t *testing.T, seconds int64, zone uint8) {
		if seconds < minTimestamp || seconds > maxTimestamp {
			return
		}
		location := zones[int(zone)%len(zones)]
		to := target{class: classDateTime}
		text, err := to.localText(seconds, 0, location)
		if err != nil {
			return
		}
		back, _, err := readLocal(text, location, false)
		if err != nil && !errors.Is(err, errRange) || err == nil && back != seconds {
			t.Fatalf("%d is %v in %v, which is %d, %v", seconds, text, location, back, err)
		}
	})
}

// A TIMESTAMP's text in the hour that clocks show twice is two moments, and one that they skip is none.
func TestTimestampAsText(t *testing.T) {
	c := &Codec{Zone: zoneNamed(t, "Europe/Berlin")}
	fd := fieldNamed(t, "str")
	for _, tc := range []struct{ typ, text, reads, writes string }{
		{typ: "TIMESTAMP", text: "2024-10-27 01:59:59"},
		{typ: "TIMESTAMP", text: "2024-10-27 02:30:00.5", reads: "UNIX_TIMESTAMP(col)", writes: "show twice"},
		{typ: "TIMESTAMP", text: "2024-10-27 03:00:00"},
		{typ: "TIMESTAMP", text: "2024-03-31 02:30:00", writes: "skip"},
		{typ: "TIMESTAMP", text: "0000-00-00 00:00:00"},
		{typ: "DATETIME", text: "2024-10-27 02:30:00"},
		{typ: "DATETIME", text: "2024-03-31 02:30:00"},
	} {
		t.Run(tc.typ+" "+tc.text, func(t *testing.T) {
			fits := func(err error, part string) {
				t.Helper()
				if (err == nil) != (part == "") || err != nil && !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q", err, part)
				}
			}
			enc, err := c.Encoder(Column{Name: "c", Type: tc.typ}, fd)
			if err != nil {
				t.Fatal(err)
			}
			_, err = enc(nil, []byte(tc.text))
			fits(err, tc.reads)
			bind, err := c.Binder(fd, "", &Column{Name: "c", Type: tc.typ})
			if err != nil {
				t.Fatal(err)
			}
			_, err = bind(wantMessage(t, `{"str":"`+tc.text+`"}`).Get(fd))
			fits(err, tc.writes)
		})
	}
}
