package value

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

// TestAdvice writes what refusals say to write, and gets the field filled.
func TestAdvice(t *testing.T) {
	eachServer(t, func(t *testing.T, s *server) {
		for _, tc := range []struct{ ddl, literal, instead, field, want string }{
			{"DECIMAL(5,2)", "2", "c <> 0", "b", `{"b":true}`},
			{"CHAR(1)", "'Y'", "c = 'Y'", "b", `{"b":true}`},
			{"SET('x','y')", "'y'", "FIND_IN_SET('y', c) > 0", "b", `{"b":true}`},
			{"JSON", `'{"a":true}'`, "JSON_CONTAINS(c, 'true', '$.a')", "b", `{"b":true}`},
			{"DATETIME", "'0000-00-00 00:00:00'", "c <> 0", "ob", `{"ob":false}`},
			{"DOUBLE", "1.5", "CAST(ROUND(c) AS SIGNED)", "i32", `{"i32":2}`},
			{"VARCHAR(9)", "'12'", "CAST(c AS SIGNED)", "i32", `{"i32":12}`},
			{"ENUM('x','y')", "'y'", "CAST(c AS SIGNED)", "i32", `{"i32":2}`},
			{"SET('x','y')", "'x,y'", "CAST(c AS UNSIGNED)", "i32", `{"i32":3}`},
			{"BINARY(2)", "x'0101'", "CAST(CONV(HEX(c), 16, 10) AS UNSIGNED)", "i32", `{"i32":257}`},
			{"JSON", `'{"a":5}'`, "CAST(JSON_EXTRACT(c, '$.a') AS SIGNED)", "i32", `{"i32":5}`},
			{"DATETIME", "'2024-01-01 02:00:00'", "UNIX_TIMESTAMP(c)", "i64", `{"i64":"1704067200"}`},
			{"TIMESTAMP(6)", "'2024-01-01 02:00:00.5'", "UNIX_TIMESTAMP(c)", "ts", `{"ts":"2024-01-01T00:00:00.500Z"}`},
			{"DATE", "'2024-01-02'", "CAST(DATE_FORMAT(c, '%Y%m%d') AS SIGNED)", "i32", `{"i32":20240102}`},
			{"TIME", "'00:01:01'", "TIME_TO_SEC(c)", "i32", `{"i32":61}`},
			{"INT", "5", "CAST(c AS FLOAT)", "flt", `{"flt":5}`},
			{"YEAR", "2024", "CAST(c + 0 AS DOUBLE)", "dbl", `{"dbl":2024}`},
			{"DECIMAL(5,2)", "1.5", "CAST(c AS DOUBLE)", "dbl", `{"dbl":1.5}`},
			{"DOUBLE", "0.1", "CAST(c AS FLOAT)", "flt", `{"flt":0.1}`},
			{"TIME", "'00:01:01'", "CAST(TIME_TO_SEC(c) AS DOUBLE)", "dbl", `{"dbl":61}`},
			{"YEAR", "2024", "CAST(c AS CHAR)", "str", `{"str":"2024"}`},
			{"BIT(10)", "b'11'", "CAST(c + 0 AS CHAR)", "str", `{"str":"3"}`},
			{"BLOB", "'é'", "CONVERT(c USING utf8mb4)", "str", `{"str":"é"}`},
			{"BLOB", "x'FF'", "HEX(c)", "str", `{"str":"FF"}`},
			{"GEOMETRY", "ST_GeomFromText('POINT(1 2)')", "ST_AsText(c)", "str", `{"str":"POINT(1 2)"}`},
			{"INT", "12", "CAST(c AS BINARY)", "byt", `{"byt":"MTI="}`},
			{"BIT(2)", "b'1'", "c + 0", "status", `{"status":"ORDER_STATUS_PENDING"}`},
			{"DECIMAL(3,0)", "2", "CAST(c AS SIGNED)", "status", `{"status":"ORDER_STATUS_SHIPPED"}`},
			{"JSON", `'{"a":"PENDING"}'`, "JSON_UNQUOTE(JSON_EXTRACT(c, '$.a'))", "status", `{"status":"ORDER_STATUS_PENDING"}`},
			{"BLOB", "'PENDING'", "CONVERT(c USING utf8mb4)", "status", `{"status":"ORDER_STATUS_PENDING"}`},
			{"DATE", "'2024-01-02'", "CAST(c AS DATETIME)", "ts", `{"ts":"2024-01-01T22:00:00Z"}`},
			{"TIME", "'02:00:00'", "TIMESTAMP(DATE('2024-01-02'), c)", "ts", `{"ts":"2024-01-02T00:00:00Z"}`},
			{"VARCHAR(20)", "'2024-01-02 02:00:00'", "STR_TO_DATE(c, '%Y-%m-%d %H:%i:%s')", "ts", `{"ts":"2024-01-02T00:00:00Z"}`},
			{"VARCHAR(14)", "'1704067200'", "CAST(c AS SIGNED)", "ts", `{"ts":"2024-01-01T00:00:00Z"}`},
			{"DOUBLE", "1704067200.5", "CAST(c AS DECIMAL(20,6))", "ts", `{"ts":"2024-01-01T00:00:00.500Z"}`},
			{"JSON", `'{"a":"2024-01-01 02:00:00"}'`, "CAST(JSON_UNQUOTE(JSON_EXTRACT(c, '$.a')) AS DATETIME(6))", "ts", `{"ts":"2024-01-01T00:00:00Z"}`},
			{"INT", "61", "SEC_TO_TIME(c)", "dur", `{"dur":"61s"}`},
			{"DECIMAL(6,3)", "61.5", "SEC_TO_TIME(c)", "tod", `{"tod":{"minutes":1,"seconds":1,"nanos":500000000}}`},
			{"DATETIME", "'2024-01-01 02:00:00'", "TIMEDIFF(c, '2024-01-01 00:00:00')", "dur", `{"dur":"7200s"}`},
			{"VARCHAR(9)", "'-01:00:00'", "CAST(c AS TIME(6))", "dur", `{"dur":"-3600s"}`},
			{"INT", "1704067200", "DATE(FROM_UNIXTIME(c))", "date", `{"date":{"year":2024,"month":1,"day":1}}`},
			{"INT", "20240102", "STR_TO_DATE(c, '%Y%m%d')", "date", `{"date":{"year":2024,"month":1,"day":2}}`},
			{"VARCHAR(10)", "'2024-01-02'", "STR_TO_DATE(c, '%Y-%m-%d')", "date", `{"date":{"year":2024,"month":1,"day":2}}`},
			{"DATETIME", "'2024-01-02 01:00:00'", "DATE(c)", "date", `{"date":{"year":2024,"month":1,"day":2}}`},
			{"DATETIME", "'2024-01-02 01:00:00'", "TIME(c)", "tod", `{"tod":{"hours":1}}`},
			{"INT", "1250", "c / 100", "money", `{"money":{"units":"12","nanos":500000000}}`},
			{"INT", "12", "CAST(c AS DECIMAL(20,0))", "money", `{"money":{"units":"12"}}`},
			{"DOUBLE", "12.5", "CAST(c AS DECIMAL(18,4))", "decimal", `{"decimal":{"value":"12.5000"}}`},
			{"YEAR", "2024", "c + 0", "decimal", `{"decimal":{"value":"2024"}}`},
			{"INT", "7", "JSON_OBJECT('quantity', c)", "line", `{"line":{"quantity":"7"}}`},
			{"BLOB", `'{"sku":"x"}'`, "CONVERT(c USING utf8mb4)", "line", `{"line":{"sku":"x"}}`},
			{"VARCHAR(9)", "'x'", "JSON_ARRAY(c)", "rstr", `{"rstr":["x"]}`},
			{"GEOMETRY", "ST_GeomFromText('POINT(1 2)')", "ST_AsGeoJSON(c)", "object", `{"object":{"type":"Point","coordinates":[1,2]}}`},
			{"DATETIME", "'0000-00-00 00:00:00'", "NULLIF(c, '0000-00-00 00:00:00')", "ts", `{}`},
			{"DATE", "'0000-00-00'", "NULLIF(c, '0000-00-00')", "date", `{}`},
			{"DATETIME", "'2024-01-01 02:00:00'", "NULLIF(c, '0000-00-00 00:00:00')", "ts", `{"ts":"2024-01-01T00:00:00Z"}`},
			{"INT", "0", "NULLIF(c, 0)", "ts", `{}`},
		} {
			t.Run(tc.ddl+" "+tc.instead+" "+tc.field, func(t *testing.T) {
				s := *s
				s.t = t
				table := s.table(tc.ddl)
				s.exec("DELETE FROM " + table)
				s.exec("INSERT INTO " + table + " (c) VALUES (" + tc.literal + ")")
				col, v := s.value(true, "SELECT "+tc.instead+" AS c FROM "+table)
				enc, err := testCodec().Encoder(col, fieldNamed(t, tc.field))
				if err != nil {
					t.Fatal(err)
				}
				wire, err := enc(nil, v)
				if err != nil {
					t.Fatalf("%s %T %s: %v", col.Type, v, show(v), err)
				}
				if got, want := decode(t, wire), wantMessage(t, tc.want); !proto.Equal(got, want) {
					t.Fatalf("%s %s gives %v, want %v", col.Type, show(v), got, want)
				}
			})
		}
	})
}
