package value

import (
	"database/sql/driver"
	"testing"
	"time"
)

// scalars are the conversions that rows are made of: none may allocate.
var scalars = []struct {
	typ, field string
	value      driver.Value
}{
	{"INT", "i32", int64(-5)},
	{"UNSIGNED BIGINT", "u64", []byte("18446744073709551615")},
	{"BIGINT", "str", int64(-1 << 63)},
	{"TINYINT", "b", int64(1)},
	{"BIT", "u64", []byte{1, 2}},
	{"DECIMAL", "str", []byte("12.50")},
	{"DECIMAL", "money", []byte("-12.50")},
	{"DECIMAL", "decimal", []byte("12.50")},
	{"DECIMAL", "i64", []byte("12.00")},
	{"DOUBLE", "dbl", 0.5},
	{"FLOAT", "flt", float32(0.5)},
	{"VARCHAR", "str", []byte("some text")},
	{"VARCHAR", "wstr", []byte("some text")},
	{"VARCHAR", "status", []byte("PENDING")},
	{"INT", "coded", int64(10)},
	{"SET", "rstr", []byte("a,b,c")},
	{"BLOB", "byt", []byte{0, 1}},
	{"DATETIME", "ts", []byte("2024-07-01 12:00:00.5")},
	{"BIGINT", "ts", int64(1700000000)},
	{"DATE", "date", []byte("2024-07-01")},
	{"TIME", "dur", []byte("-838:59:59.999999")},
	{"TIME", "tod", []byte("12:34:56.5")},
}

func TestScalarsDoNotAllocate(t *testing.T) {
	codec := testCodec()
	codec.Zone = zoneNamed(t, "Europe/Berlin")
	for _, tc := range scalars {
		enc, err := codec.Encoder(Column{Name: "c", Type: tc.typ}, fieldNamed(t, tc.field))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 0, 1024)
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := enc(buf, tc.value); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s into %s allocates %v times", tc.typ, tc.field, allocs)
		}
	}
}

func BenchmarkEncoder(b *testing.B) {
	codec := testCodec()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	codec.Zone = zone
	for _, tc := range scalars {
		b.Run(tc.typ+"/"+tc.field, func(b *testing.B) {
			enc, err := codec.Encoder(Column{Name: "c", Type: tc.typ}, fieldNamed(b, tc.field))
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 0, 1024)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := enc(buf, tc.value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
