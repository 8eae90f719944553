package value

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestBind has the write direction: a field of the message, a function, the column that it is written into ("" for an
// expression), and the argument or the refusal.
func TestBind(t *testing.T) {
	for _, tc := range []struct {
		ddl, message, field, fn string
		want                    any
		fails, refused          string
	}{
		// Unset is NULL, the zero value is not.
		{field: "ostr", message: `{}`, want: nil},
		{field: "str", message: `{}`, want: ""},
		{field: "wi32", message: `{}`, want: nil},
		{field: "wi32", message: `{"wi32":0}`, want: int64(0)},
		{field: "ts", message: `{}`, want: nil},
		{field: "obyt", message: `{"obyt":""}`, want: []byte{}},
		{field: "ostr", fn: "contains", message: `{}`, want: nil},
		{field: "ostatus", fn: "name", message: `{}`, want: nil},
		{field: "line", fn: "json", message: `{}`, want: nil},

		// Numbers.
		{field: "u64", message: `{"u64":"18446744073709551615"}`, want: uint64(1<<64 - 1)},
		{field: "f32", message: `{"f32":4294967295}`, want: int64(1<<32 - 1)},
		{ddl: "TINYINT", field: "i32", message: `{"i32":128}`, fails: "from -128 to 127"},
		{ddl: "TINYINT UNSIGNED", field: "i32", message: `{"i32":-1}`, fails: "from 0 to 255"},
		{ddl: "BIGINT", field: "u64", message: `{"u64":"9223372036854775808"}`, fails: "to 9223372036854775807"},
		{ddl: "BIGINT UNSIGNED", field: "u64", message: `{"u64":"18446744073709551615"}`, want: uint64(1<<64 - 1)},
		{ddl: "DECIMAL(5,2)", field: "i32", message: `{"i32":1000}`, fails: "3 digits before the point"},
		{ddl: "DECIMAL(5,2)", field: "i32", message: `{"i32":-999}`, want: int64(-999)},
		{ddl: "DOUBLE", field: "i64", message: `{"i64":"9007199254740993"}`, fails: "more digits"},
		{ddl: "DOUBLE", field: "i64", message: `{"i64":"-9223372036854775808"}`, want: int64(-1 << 63)},
		{ddl: "FLOAT", field: "i32", message: `{"i32":16777217}`, fails: "more digits"},
		{ddl: "YEAR", field: "i32", message: `{"i32":70}`, fails: "1901 to 2155"},
		{ddl: "YEAR", field: "i32", message: `{"i32":2024}`, want: int64(2024)},
		{ddl: "BIT(3)", field: "i32", message: `{"i32":8}`, fails: "from 0 to 7"},
		{ddl: "ENUM('a')", field: "i32", message: `{"i32":1}`, refused: "ELT("},
		{ddl: "DATETIME", field: "i64", message: `{}`, refused: "FROM_UNIXTIME("},
		{ddl: "DATE", field: "i64", message: `{}`, refused: "STR_TO_DATE("},
		{ddl: "TIME", field: "i64", message: `{}`, refused: "SEC_TO_TIME("},
		{ddl: "BLOB", field: "i64", message: `{}`, refused: "bytes field"},
		{field: "b", message: `{"b":true}`, want: int64(1)},
		{ddl: "BIT(1)", field: "b", message: `{}`, want: int64(0)},
		{ddl: "CHAR(1)", field: "b", message: `{}`, refused: "IF(:b, 'Y', 'N')"},
		{ddl: "ENUM('Y','N')", field: "b", message: `{}`, refused: "IF(:b, 'Y', 'N')"},
		{field: "flt", message: `{"flt":0.5}`, want: 0.5},
		{ddl: "FLOAT", field: "dbl", message: `{"dbl":0.1}`, fails: "more digits"},
		{ddl: "FLOAT", field: "dbl", message: `{"dbl":0.25}`, want: 0.25},
		{ddl: "FLOAT(7,1)", field: "flt", message: `{"flt":0.25}`, fails: "at most 1 decimals"},
		{field: "dbl", message: `{"dbl":"NaN"}`, fails: "finite"},
		{ddl: "DOUBLE", field: "dbl", message: `{"dbl":"-Infinity"}`, fails: "finite"},
		{ddl: "DECIMAL(5,2)", field: "dbl", message: `{}`, refused: "ROUND(:dbl"},
		{ddl: "VARCHAR(5)", field: "dbl", message: `{}`, refused: "CAST(:dbl AS CHAR)"},

		// Decimals and money.
		{field: "decimal", message: `{"decimal":{"value":"+007.50"}}`, want: "7.50"},
		{field: "decimal", message: `{"decimal":{"value":"-.5"}}`, want: "-0.5"},
		{field: "decimal", message: `{"decimal":{"value":"5."}}`, want: "5"},
		{field: "decimal", message: `{"decimal":{"value":"-12.5e2"}}`, want: "-1250"},
		{field: "decimal", message: `{"decimal":{"value":"12.5E-3"}}`, want: "0.0125"},
		{field: "decimal", message: `{"decimal":{"value":"-0.00"}}`, want: "0.00"},
		{field: "decimal", message: `{"decimal":{"value":"0e999999999999999999999"}}`, want: "0"},
		{field: "decimal", message: `{"decimal":{"value":"1e65"}}`, fails: "at most 65 digits"},
		{field: "decimal", message: `{"decimal":{"value":"1e999999999999999999999"}}`, fails: "at most 65 digits"},
		{field: "decimal", message: `{"decimal":{"value":"1e-66"}}`, fails: "at most 65 digits"},
		{field: "decimal", message: `{"decimal":{"value":""}}`, fails: "decimal number"},
		{field: "decimal", message: `{"decimal":{"value":"1e"}}`, fails: "decimal number"},
		{field: "decimal", message: `{"decimal":{"value":"1e+-2"}}`, fails: "decimal number"},
		{field: "decimal", message: `{"decimal":{"value":"--1"}}`, fails: "decimal number"},
		{field: "decimal", message: `{"decimal":{"value":"NaN"}}`, fails: "decimal number"},
		{field: "decimal", message: `{"decimal":{"value":"1,5"}}`, fails: "decimal number"},
		{ddl: "DECIMAL(5,2)", field: "decimal", message: `{"decimal":{"value":"1.239"}}`, fails: "at most 2 decimals"},
		{ddl: "DECIMAL(5,2)", field: "decimal", message: `{"decimal":{"value":"1.23000"}}`, want: "1.23000"},
		{ddl: "DECIMAL(5,2)", field: "decimal", message: `{"decimal":{"value":"1000"}}`, fails: "3 digits before the point"},
		{ddl: "INT", field: "decimal", message: `{"decimal":{"value":"5.0"}}`, want: int64(5)},
		{ddl: "INT", field: "decimal", message: `{"decimal":{"value":"5.5"}}`, fails: "whole number"},
		{ddl: "DOUBLE", field: "decimal", message: `{}`, refused: "CAST(:decimal AS DOUBLE)"},
		{field: "money", message: `{"money":{"currencyCode":"EUR","units":"-12","nanos":-500000000}}`, want: "-12.5"},
		{field: "money", message: `{"money":{"nanos":-1}}`, want: "-0.000000001"},
		{field: "money", message: `{"money":{"units":"-9223372036854775808","nanos":-999999999}}`, want: "-9223372036854775808.999999999"},
		{field: "money", message: `{"money":{"units":"1","nanos":-1}}`, fails: "same sign"},
		{field: "money", message: `{"money":{"units":"1","nanos":1000000000}}`, fails: "999999999"},
		{ddl: "DECIMAL(15,4)", field: "money", message: `{"money":{"nanos":123450000}}`, fails: "at most 4 decimals"},
		{ddl: "DECIMAL(15,4)", field: "money", message: `{"money":{"nanos":123400000}}`, want: "0.1234"},
		{ddl: "INT", field: "money", message: `{}`, refused: "CAST(:money AS DECIMAL(20,2)) * 100"},

		// Text.
		{ddl: "CHAR(5)", field: "str", message: `{"str":"ab "}`, fails: "must not end in a space"},
		{ddl: "VARCHAR(3)", field: "str", message: `{"str":"abc "}`, fails: "too long"},
		{ddl: "VARCHAR(3)", field: "str", message: `{"str":"ab "}`, want: "ab "},
		{ddl: "TINYTEXT", field: "str", message: `{"str":"` + strings.Repeat("x", 255) + ` "}`, fails: "too long"},
		{ddl: "LONGTEXT", field: "str", message: `{"str":"` + strings.Repeat("x", 70000) + ` "}`, want: strings.Repeat("x", 70000) + " "},
		{ddl: "ENUM('Y','N')", field: "str", message: `{"str":"y"}`, fails: "one of Y, N"},
		{ddl: "ENUM('Y','N')", field: "str", message: `{"str":"1"}`, fails: "one of Y, N"},
		{ddl: "ENUM('1','2')", field: "str", message: `{"str":"2"}`, want: "2"},
		{ddl: "ENUM", field: "str", message: `{"str":"2"}`, fails: "taken for an index"},
		{ddl: "ENUM", field: "str", message: `{"str":"Y "}`, fails: "end in a space"},
		{ddl: "SET", field: "str", message: `{"str":"2"}`, fails: "taken for bits"},
		{ddl: "SET('x','y')", field: "str", message: `{"str":"y,x"}`, fails: "in this order"},
		{ddl: "SET('x','y')", field: "str", message: `{"str":"x,x"}`, fails: "each value once"},
		{ddl: "SET('x','y')", field: "rstr", message: `{"rstr":["x","y"]}`, want: "x,y"},
		{ddl: "SET('x','y')", field: "rstr", message: `{"rstr":["x,y"]}`, fails: "comma"},
		{ddl: "INT", field: "str", message: `{"str":"42"}`, want: int64(42)},
		{ddl: "BIGINT UNSIGNED", field: "str", message: `{"str":"18446744073709551615"}`, want: uint64(1<<64 - 1)},
		{ddl: "INT", field: "str", message: `{"str":"042"}`, fails: "leading zeros"},
		{ddl: "INT", field: "str", message: `{"str":"1.5"}`, fails: "whole number"},
		{ddl: "INT", field: "str", message: `{"str":"-0"}`, fails: "whole number"},
		{ddl: "DECIMAL(5,2)", field: "str", message: `{"str":"1.239"}`, fails: "at most 2 decimals"},
		{ddl: "DECIMAL(5,2)", field: "str", message: `{"str":"1.2"}`, want: "1.2"},
		{ddl: "DATETIME", field: "str", message: `{"str":"2024-01-02 03:04:05"}`, want: "2024-01-02 03:04:05"},
		{ddl: "DATETIME", field: "str", message: `{"str":"2024-01-02 03:04:05.5"}`, fails: "whole second"},
		{ddl: "DATETIME(6)", field: "str", message: `{"str":"2024-1-2"}`, fails: "YYYY-MM-DD HH:MM:SS"},
		{ddl: "DATETIME(6)", field: "str", message: `{"str":"2024-01-02"}`, fails: "YYYY-MM-DD HH:MM:SS"},
		{ddl: "DATE", field: "str", message: `{"str":"2024-01-02 00:00:00"}`, fails: "YYYY-MM-DD"},
		{ddl: "TIME", field: "str", message: `{"str":"-00:00:00"}`, fails: "HH:MM:SS"},
		{ddl: "TIME", field: "str", message: `{"str":"839:00:00"}`, fails: "838:59:59"},
		{ddl: "TIME", field: "str", message: `{"str":"010:00:00"}`, fails: "HH:MM:SS"},
		{ddl: "JSON", field: "str", message: `{"str":"{\"a\": 1}"}`, want: `{"a": 1}`},
		{ddl: "JSON", field: "str", message: `{"str":"bare"}`, fails: "JSON text"},
		{ddl: "DOUBLE", field: "str", message: `{}`, refused: "CAST(:str AS DOUBLE)"},
		{ddl: "BIT(3)", field: "str", message: `{}`, refused: "integer field"},
		{ddl: "GEOMETRY", field: "str", message: `{}`, refused: "ST_GeomFromText(:str)"},
		{ddl: "UUID", field: "str", message: `{"str":"123e4567-e89b-12d3-a456-426655440000"}`, want: "123e4567-e89b-12d3-a456-426655440000"},
		{ddl: "UUID", field: "str", message: `{"str":"123E4567-e89b-12d3-a456-426655440000"}`, fails: "lower case"},
		{ddl: "INET4", field: "str", message: `{"str":"192.0.2.1"}`, want: "192.0.2.1"},
		{ddl: "INET4", field: "str", message: `{"str":"192.0.2.01"}`, fails: "IPv4"},
		{ddl: "INET6", field: "str", message: `{"str":"1:0:2:3:4:5:6:7"}`, fails: "gives it back: 1::2:3:4:5:6:7"},
		{ddl: "INET6", field: "str", message: `{"str":"::ffff:192.0.2.1"}`, want: "::ffff:192.0.2.1"},
		{ddl: "INET6", field: "str", message: `{"str":"fe80::1%eth0"}`, fails: "IPv6"},
		{ddl: "BINARY(4)", field: "byt", message: `{"byt":"AQ=="}`, fails: "exactly 4 bytes"},
		{ddl: "BINARY(4)", field: "byt", message: `{"byt":"AQIDBA=="}`, want: []byte{1, 2, 3, 4}},
		{ddl: "VARCHAR(4)", field: "byt", message: `{"byt":"/w=="}`, fails: "UTF-8"},
		{ddl: "BIT(10)", field: "byt", message: `{"byt":"AgE="}`, want: []byte{2, 1}},
		{ddl: "BIT(10)", field: "byt", message: `{"byt":"BAE="}`, fails: "at most 10 bits"},
		{ddl: "BIT(10)", field: "byt", message: `{"byt":"AQ=="}`, fails: "exactly 2 bytes"},
		{ddl: "INT", field: "byt", message: `{}`, refused: "CONV(HEX(:byt)"},
		{ddl: "JSON", field: "byt", message: `{}`, refused: "string field"},

		// LIKE.
		{fn: "prefix", field: "str", message: `{"str":"50%_\\"}`, want: `50\%\_\\%`},
		{fn: "suffix", field: "wstr", message: `{"wstr":"x"}`, want: `%x`},
		{fn: "contains", field: "ostr", message: `{"ostr":""}`, want: `%%`},
		{fn: "contains", field: "i32", message: `{}`, refused: "LIKE pattern of text"},
		{fn: "contains", ddl: "VARCHAR(5)", field: "str", message: `{}`, refused: "use it after LIKE only"},
		{fn: "upper", field: "str", message: `{}`, refused: "no function :upper"},

		// Enums.
		{field: "status", message: `{"status":"ORDER_STATUS_LOST"}`, want: int64(-1)},
		{field: "status", message: `{"status":7}`, fails: "7 is none"},
		{ddl: "TINYINT UNSIGNED", field: "status", message: `{"status":-1}`, fails: "from 0 to 255"},
		{field: "coded", message: `{"coded":"CODED_B"}`, want: int64(20)},
		{field: "coded", message: `{}`, fails: "one of CODED_A, CODED_B"},
		{ddl: "CHAR(1)", field: "lettered", message: `{"lettered":"LETTERED_B"}`, want: "B"},
		{ddl: "INT", field: "lettered", message: `{}`, refused: "codes of another kind"},
		{ddl: "CHAR(1)", field: "coded", message: `{}`, refused: "codes of another kind"},
		{ddl: "VARCHAR(9)", field: "status", message: `{}`, refused: ":name(status)"},
		{ddl: "DOUBLE", field: "status", message: `{}`, refused: "CASE :name(status)"},
		{fn: "name", ddl: "VARCHAR(9)", field: "status", message: `{"status":"ORDER_STATUS_SHIPPED"}`, want: "SHIPPED"},
		{fn: "name", ddl: "ENUM('PENDING')", field: "status", message: `{"status":"ORDER_STATUS_SHIPPED"}`, fails: "one of PENDING"},
		{fn: "name", field: "status", message: `{"status":7}`, fails: "7 is none"},
		{fn: "name", ddl: "INT", field: "status", message: `{}`, refused: "leave :name out"},
		{fn: "name", field: "str", message: `{}`, refused: "leave the function out"},
		{ddl: "SET('A','B')", field: "rlettered", message: `{"rlettered":["LETTERED_A","LETTERED_B"]}`, want: "A,B"},

		// Times.
		{field: "ts", message: `{"ts":"2024-02-29T21:59:59Z"}`, want: "2024-02-29 23:59:59"},
		{field: "ts", message: `{"ts":"2024-02-29T21:59:59.120Z"}`, want: "2024-02-29 23:59:59.12"},
		{field: "ts", message: `{"ts":"2024-02-29T21:59:59.000000001Z"}`, fails: "at most 6 decimals"},
		{ddl: "DATETIME", field: "ts", message: `{"ts":"2024-02-29T21:59:59.5Z"}`, fails: "whole second"},
		{ddl: "DATETIME(3)", field: "ts", message: `{"ts":"2024-02-29T21:59:59.1234Z"}`, fails: "at most 3 decimals"},
		{field: "ts", message: `{"ts":"9999-12-31T22:00:00Z"}`, fails: "years 1 to 9999 in +02:00"},
		{ddl: "INT", field: "ts", message: `{"ts":"1970-01-01T00:00:07Z"}`, want: int64(7)},
		{ddl: "INT", field: "ts", message: `{"ts":"1970-01-01T00:00:07.5Z"}`, fails: "whole second"},
		{ddl: "INT", field: "ts", message: `{"ts":"2040-01-01T00:00:00Z"}`, fails: "to 2147483647"},
		{ddl: "DECIMAL(20,6)", field: "ts", message: `{"ts":"1969-12-31T23:59:58.500Z"}`, want: "-1.5"},
		{ddl: "DECIMAL(20,3)", field: "ts", message: `{"ts":"1969-12-31T23:59:58.0001Z"}`, fails: "at most 3 decimals"},
		{ddl: "DATE", field: "ts", message: `{}`, refused: "DATE(:ts)"},
		{ddl: "VARCHAR(30)", field: "ts", message: `{}`, refused: "DATE_FORMAT(:ts"},
		{field: "dur", message: `{"dur":"-3020399.999999s"}`, want: "-838:59:59.999999"},
		{field: "dur", message: `{"dur":"-0.5s"}`, want: "-00:00:00.5"},
		{field: "dur", message: `{"dur":"3020400s"}`, fails: "838:59:59.999999"},
		{ddl: "TIME", field: "dur", message: `{"dur":"1.5s"}`, fails: "whole second"},
		{ddl: "INT", field: "dur", message: `{}`, refused: "TIME_TO_SEC(:dur)"},
		{field: "tod", message: `{"tod":{"hours":24}}`, want: "24:00:00"},
		{field: "tod", message: `{"tod":{"hours":24,"seconds":1}}`, fails: "24:00:00"},
		{field: "tod", message: `{"tod":{"seconds":60}}`, fails: "23:59:59"},
		{field: "tod", message: `{"tod":{"hours":1,"nanos":1000}}`, want: "01:00:00.000001"},
		{field: "date", message: `{"date":{"year":2024}}`, want: "2024-00-00"},
		{field: "date", message: `{"date":{"month":2,"day":29}}`, want: "0000-02-29"},
		{field: "date", message: `{"date":{"year":2023,"month":2,"day":29}}`, fails: "date of the calendar"},
		{field: "date", message: `{"date":{}}`, fails: "date of the calendar"},
		{field: "date", message: `{"date":{"year":2023,"day":2}}`, fails: "date of the calendar"},
		{ddl: "DATETIME", field: "date", message: `{}`, refused: "TIMESTAMP(:date)"},

		// JSON, lists and maps.
		{fn: "json", field: "mline", message: `{"mline":{"7":{"sku":"x","quantity":"5"},"-1":{}}}`, want: `{"-1":{},"7":{"sku":"x","quantity":"5"}}`},
		{fn: "json", field: "ri64", message: `{"ri64":["1","2"]}`, want: `["1","2"]`},
		{fn: "json", field: "rstatus", message: `{"rstatus":["ORDER_STATUS_LOST",9]}`, want: `["ORDER_STATUS_LOST",9]`},
		{fn: "json", field: "rvalue", message: `{"rvalue":[null,1,"<x>"]}`, want: `[null,1,"<x>"]`},
		{fn: "json", field: "byt", message: `{"byt":"/w=="}`, want: `"/w=="`},
		{fn: "json", field: "u64", message: `{"u64":"18446744073709551615"}`, want: `"18446744073709551615"`},
		{fn: "json", field: "rb", message: `{}`, want: `[]`},
		{fn: "json", field: "mask", message: `{"mask":"a,bC"}`, want: `"a,bC"`},
		{fn: "json", ddl: "INT", field: "i32", message: `{}`, refused: "JSON and text columns"},
		{ddl: "JSON", field: "object", message: `{"object":{"a":[1,{}]}}`, want: `{"a":[1,{}]}`},
		{ddl: "JSON", field: "i64", message: `{"i64":"5"}`, want: `"5"`},
		{field: "object", message: `{}`, refused: ":json(object)"},
		{ddl: "TEXT", field: "line", message: `{}`, refused: ":json(line)"},
		{field: "rstr", message: `{}`, refused: "IN (…)"},
		{field: "mstr", message: `{}`, refused: ":json(mstr)"},
	} {
		t.Run(tc.ddl+" "+tc.fn+"("+tc.field+") "+tc.message[:min(len(tc.message), 60)], func(t *testing.T) {
			fd := fieldNamed(t, tc.field)
			var to *Column
			if tc.ddl != "" {
				to = tableColumn(tc.ddl)
			}
			bind, err := testCodec().Binder(fd, tc.fn, to)
			if tc.refused != "" {
				var r *Refusal
				if !errors.As(err, &r) || !strings.Contains(err.Error(), tc.refused) {
					t.Fatalf("the binder gives %v, want a refusal with %q", err, tc.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			m := wantMessage(t, tc.message)
			var v protoreflect.Value
			if !fd.HasPresence() || m.Has(fd) {
				v = m.Get(fd)
			}
			got, err := bind(v)
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) || got != nil {
					t.Fatalf("got %v, %v, want an error with %q", got, err, tc.fails)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("got %T %v, %v, want %T %v", got, got, err, tc.want, tc.want)
			}
		})
	}
}

func TestElementBinder(t *testing.T) {
	m := wantMessage(t, `{"rlettered":["LETTERED_B"],"rline":[{"sku":"x"}],"rstr":["a%"]}`)
	for _, tc := range []struct {
		field, fn string
		want      any
	}{{"rlettered", "", "B"}, {"rline", "json", `{"sku":"x"}`}, {"rstr", "prefix", `a\%%`}, {"rlettered", "name", "B"}} {
		fd := fieldNamed(t, tc.field)
		bind, err := testCodec().ElementBinder(fd, tc.fn, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := bind(m.Get(fd).List().Get(0)); err != nil || got != tc.want {
			t.Errorf("%s(%s) gives %v, %v, want %v", tc.fn, tc.field, got, err, tc.want)
		}
	}
	if _, err := testCodec().ElementBinder(fieldNamed(t, "str"), "", nil); err == nil {
		t.Error("a field that is not repeated has elements")
	}
}

// TestGeneratedMessages binds a message that is not dynamic.
func TestGeneratedMessages(t *testing.T) {
	bind, err := testCodec().Binder(fieldNamed(t, "ts"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	ts := &timestamppb.Timestamp{Seconds: 1704067200}
	if got, err := bind(protoreflect.ValueOfMessage(ts.ProtoReflect())); err != nil || got != "2024-01-01 02:00:00" {
		t.Fatalf("got %v, %v", got, err)
	}
}
