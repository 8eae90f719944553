package value

import (
	"testing"
)

// TestSilentChanges shows what servers do with values that a Binder refuses: they take them without an error, and give
// back something else. A refusal that a server no longer earns fails here.
func TestSilentChanges(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server) {
		for _, tc := range []struct {
			ddl, field, message string
			arg                 any
			stored              string
		}{
			{"DECIMAL(5,2)", "str", `{"str":"1.239"}`, "1.239", "1.24"},
			{"INT", "str", `{"str":"1.5"}`, "1.5", "2"},
			{"INT", "str", `{"str":"042"}`, "042", "42"},
			{"YEAR", "i32", `{"i32":5}`, int64(5), "2005"},
			{"FLOAT", "dbl", `{"dbl":0.1}`, 0.1, "0.1"},
			{"FLOAT", "i32", `{"i32":16777217}`, int64(16777217), "1.6777216e+07"},
			{"DOUBLE", "i64", `{"i64":"9007199254740993"}`, int64(9007199254740993), "9.007199254740992e+15"},
			{"FLOAT(7,1)", "flt", `{"flt":0.26}`, 0.26, "0.3"},
			{"CHAR(5)", "str", `{"str":"ab "}`, "ab ", "ab"},
			{"VARCHAR(3)", "str", `{"str":"abc "}`, "abc ", "abc"},
			{"TINYTEXT", "str", `{"str":"` + xs200 + xs200[:55] + ` "}`, xs200 + xs200[:55] + " ", xs200 + xs200[:55]},
			{"BINARY(2)", "byt", `{"byt":"AQ=="}`, []byte{1}, "\x01\x00"},
			{"ENUM('Y','N')", "str", `{"str":"y"}`, "y", "Y"},
			{"ENUM('Y','N')", "str", `{"str":"2"}`, "2", "N"},
			{"SET('x','y')", "str", `{"str":"y,x"}`, "y,x", "x,y"},
			{"SET('x','y')", "str", `{"str":"3"}`, "3", "x,y"},
			{"DATETIME", "ts", `{"ts":"2024-01-01T00:00:00.6Z"}`, "2024-01-01 02:00:00.6", ""},
			{"TIME(1)", "dur", `{"dur":"1.55s"}`, "00:00:01.55", ""},
			{"DATETIME", "str", `{"str":"2024-1-2"}`, "2024-1-2", "2024-01-02 00:00:00"},
			{"DATE", "str", `{"str":"20240102"}`, "20240102", "2024-01-02"},
			{"TIME", "str", `{"str":"10"}`, "10", "00:00:10"},
		} {
			t.Run(tc.ddl+" "+tc.message, func(t *testing.T) {
				s := *s
				s.t = t
				table := s.table(tc.ddl)
				s.exec("DELETE FROM " + table)
				s.exec("INSERT INTO "+table+" (c) VALUES (?)", tc.arg)
				_, v := s.value(true, "SELECT c FROM "+table)
				if tc.stored != "" && show(v) != tc.stored { // servers differ in rounding or cutting seconds
					t.Errorf("%s keeps %v as %q, want %q", tc.ddl, tc.arg, show(v), tc.stored)
				}
				if tc.stored == "" && show(v) == tc.arg {
					t.Errorf("%s keeps %v as it is", tc.ddl, tc.arg)
				}
				fd := fieldNamed(t, tc.field)
				bind, err := testCodec().Binder(fd, "", tableColumn(tc.ddl))
				if err != nil {
					t.Fatal(err)
				}
				if arg, err := bind(wantMessage(t, tc.message).Get(fd)); err == nil {
					t.Errorf("%s is bound as %v", tc.message, arg)
				}
			})
		}
	})
}

// TestWriteAdvice writes what refusals of writes say to write.
func TestWriteAdvice(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server) {
		for _, tc := range []struct{ ddl, instead, field, fn, message, stored string }{
			{"ENUM('Y','N')", "IF(?, 'Y', 'N')", "b", "", `{"b":true}`, "Y"},
			{"ENUM('a','b')", "ELT(?, 'a', 'b')", "i32", "", `{"i32":2}`, "b"},
			{"DATETIME", "FROM_UNIXTIME(?)", "i64", "", `{"i64":"1704067200"}`, "2024-01-01 02:00:00"},
			{"DATE", "STR_TO_DATE(?, '%Y%m%d')", "i64", "", `{"i64":"20240102"}`, "2024-01-02"},
			{"TIME", "SEC_TO_TIME(?)", "i64", "", `{"i64":"-61"}`, "-00:01:01"},
			{"DECIMAL(5,2)", "ROUND(?, 2)", "dbl", "", `{"dbl":1.5}`, "1.50"},
			{"VARCHAR(9)", "CAST(? AS CHAR)", "dbl", "", `{"dbl":1.5}`, "1.5"},
			{"DOUBLE", "CAST(? AS DOUBLE)", "str", "", `{"str":"1.5"}`, "1.5"},
			{"YEAR", "CAST(? AS UNSIGNED)", "str", "", `{"str":"2024"}`, "2024"},
			{"INT", "CONV(HEX(?), 16, 10)", "byt", "", `{"byt":"AQE="}`, "257"},
			{"INT", "CASE ? WHEN 'PENDING' THEN 7 END", "status", "name", `{"status":"ORDER_STATUS_PENDING"}`, "7"},
			{"YEAR", "YEAR(?)", "ts", "", `{"ts":"2024-01-01T00:00:00Z"}`, "2024"},
			{"VARCHAR(20)", "DATE_FORMAT(?, '%Y-%m-%d %H:%i:%s')", "ts", "", `{"ts":"2024-01-01T00:00:00Z"}`, "2024-01-01 02:00:00"},
			{"VARCHAR(20)", "UNIX_TIMESTAMP(?)", "ts", "", `{"ts":"2024-01-01T00:00:00Z"}`, "1704067200"},
			{"DATE", "DATE(?)", "ts", "", `{"ts":"2024-01-01T00:00:00Z"}`, "2024-01-01"},
			{"TIME", "TIME(?)", "ts", "", `{"ts":"2024-01-01T00:00:00Z"}`, "02:00:00"},
			{"INT", "TIME_TO_SEC(?)", "dur", "", `{"dur":"61s"}`, "61"},
			{"INT", "TIME_TO_SEC(?)", "tod", "", `{"tod":{"minutes":1,"seconds":1}}`, "61"},
			{"VARCHAR(10)", "CAST(? AS CHAR)", "date", "", `{"date":{"year":2024,"month":1,"day":2}}`, "2024-01-02"},
			{"DATETIME", "TIMESTAMP(?)", "date", "", `{"date":{"year":2024,"month":1,"day":2}}`, "2024-01-02 00:00:00"},
			{"INT", "CAST(? AS DECIMAL(20,2)) * 100", "money", "", `{"money":{"units":"12","nanos":340000000}}`, "1234"},
			{"DOUBLE", "CAST(? AS DOUBLE)", "decimal", "", `{"decimal":{"value":"12.5"}}`, "12.5"},
			{"VARCHAR(9)", "CAST(? AS CHAR)", "decimal", "", `{"decimal":{"value":"12.50"}}`, "12.50"},
			{"GEOMETRY", "ST_GeomFromText(?)", "str", "", `{"str":"POINT(1 2)"}`, ""},
		} {
			t.Run(tc.ddl+" "+tc.instead+" "+tc.field, func(t *testing.T) {
				s := *s
				s.t = t
				fd := fieldNamed(t, tc.field)
				bind, err := testCodec().Binder(fd, tc.fn, nil)
				if err != nil {
					t.Fatal(err)
				}
				given := wantMessage(t, tc.message).Get(fd)
				arg, err := bind(given)
				if err != nil {
					t.Fatal(err)
				}
				table := s.table(tc.ddl)
				s.exec("DELETE FROM " + table)
				s.exec("INSERT INTO "+table+" (c) VALUES ("+tc.instead+")", arg)
				if _, v := s.value(true, "SELECT c FROM "+table); tc.stored != "" && show(v) != tc.stored || v == nil {
					t.Errorf("%v is stored as %s, want %s", arg, show(v), tc.stored)
				}
			})
		}
	})
}
