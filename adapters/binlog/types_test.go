package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"banyan.dev/banyan/mirror/change"
)

// typeCase is a column with values; what the log has of each is compared with what the server itself prints.
type typeCase struct {
	ddl string
	// want is the type as the log has it; empty is the same as ddl.
	want   string
	values []string
	// show is how the server prints it, with %s for the column; empty is CAST AS CHAR for text, HEX for bytes.
	show string
	only string // a server
	kind change.Kind
}

func typeCases() []typeCase {
	const b = "CONCAT('0x', HEX(%s))"
	return []typeCase{
		{ddl: "tinyint", values: []string{"0", "-128", "127"}, kind: change.Int},
		{ddl: "tinyint unsigned", values: []string{"0", "255"}, kind: change.Uint},
		{ddl: "smallint", values: []string{"-32768", "32767"}, kind: change.Int},
		{ddl: "smallint unsigned", values: []string{"65535"}, kind: change.Uint},
		{ddl: "mediumint", values: []string{"-8388608", "8388607", "-1"}, kind: change.Int},
		{ddl: "mediumint unsigned", values: []string{"16777215"}, kind: change.Uint},
		{ddl: "int", values: []string{"-2147483648", "2147483647"}, kind: change.Int},
		{ddl: "int unsigned", values: []string{"4294967295"}, kind: change.Uint},
		{ddl: "bigint", values: []string{"-9223372036854775808", "9223372036854775807"}, kind: change.BigInt},
		{ddl: "bigint unsigned", values: []string{"0", "18446744073709551615"}, kind: change.BigUint},
		{ddl: "year", values: []string{"0", "1901", "2155", "2024"}, show: "%s + 0", kind: change.Uint},
		{ddl: "bit(1)", values: []string{"0", "1"}, show: "%s + 0", kind: change.BigUint},
		{ddl: "bit(13)", values: []string{"b'1000000000001'"}, show: "%s + 0", kind: change.BigUint},
		{ddl: "bit(64)", values: []string{"0xffffffffffffffff", "0x8000000000000001"}, show: "%s + 0", kind: change.BigUint},
		{ddl: "float", values: []string{"0", "1.5", "-3.4028234e38", "1.1754944e-38", "0.1"}, kind: change.Float, show: "-"},
		{ddl: "double", values: []string{"0", "1.7976931348623157e308", "2.2250738585072014e-308", "0.1", "-1e15", "123456789.125"}, kind: change.Double, show: "-"},
		{ddl: "decimal(65,30)", values: []string{"0", "-12345678901234567890123456789012345.123456789012345678901234567890", "0.000000000000000000000000000001"}, kind: change.Decimal},
		{ddl: "decimal(10,0)", values: []string{"0", "9999999999", "-1"}, kind: change.Decimal},
		{ddl: "decimal(4,4)", values: []string{"0.0001", "-0.9999", "0"}, kind: change.Decimal},
		{ddl: "decimal(18,9) unsigned", values: []string{"123456789.987654321", "1.000000009"}, kind: change.Decimal},
		{ddl: "date", values: []string{"'0000-00-00'", "'1000-01-01'", "'9999-12-31'", "'2024-00-00'", "'2024-02-00'"}, kind: change.Temporal},
		{ddl: "datetime", values: []string{"'0000-00-00 00:00:00'", "'9999-12-31 23:59:59'", "'2024-00-15 01:02:03'"}, kind: change.Temporal},
		{ddl: "datetime(1)", values: []string{"'2024-01-02 03:04:05.6'"}, kind: change.Temporal},
		{ddl: "datetime(4)", values: []string{"'2024-01-02 03:04:05.0067'"}, kind: change.Temporal},
		{ddl: "datetime(6)", values: []string{"'1999-12-31 23:59:59.999999'", "'2024-01-02 03:04:05.000001'"}, kind: change.Temporal},
		{ddl: "time", values: []string{"'838:59:59'", "'-838:59:59'", "'00:00:00'", "'-00:00:01'"}, kind: change.Temporal},
		{ddl: "time(1)", values: []string{"'-00:00:00.1'", "'12:13:14.9'"}, kind: change.Temporal},
		{ddl: "time(2)", values: []string{"'-01:02:03.04'"}, kind: change.Temporal},
		{ddl: "time(3)", values: []string{"'-838:59:58.999'", "'-00:00:01.000'"}, kind: change.Temporal},
		{ddl: "time(6)", values: []string{"'-838:59:58.999999'", "'838:59:58.000001'", "'-00:00:00.000001'"}, kind: change.Temporal},
		{ddl: "timestamp", want: "timestamp", values: []string{"'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"}, kind: change.Instant, show: "DATE_FORMAT(%s, '%%Y-%%m-%%dT%%TZ')"},
		{ddl: "timestamp(6)", values: []string{"'1970-01-01 00:00:01.000001'", "'2024-06-30 12:00:00.5'"}, kind: change.Instant, show: "DATE_FORMAT(%s, '%%Y-%%m-%%dT%%T.%%fZ')"},
		{ddl: "char(5)", values: []string{"'a'", "''", "'äöü€😀'"}, kind: change.String},
		{ddl: "char(255)", values: []string{"REPEAT('😀',255)"}, kind: change.String},
		{ddl: "varchar(20)", values: []string{"'a '", "''"}, kind: change.String},
		{ddl: "varchar(300)", values: []string{"REPEAT('x', 300)"}, kind: change.String},
		{ddl: "tinytext", values: []string{"'t'"}, kind: change.String},
		{ddl: "text", values: []string{"REPEAT('é', 30000)"}, kind: change.String},
		{ddl: "mediumtext", values: []string{"'m'"}, kind: change.String},
		{ddl: "longtext", values: []string{"REPEAT('long', 20000)"}, kind: change.String},
		{ddl: "binary(4)", values: []string{"'a'", "x'01000000'", "x'00000000'", "''"}, show: b, kind: change.Bytes},
		{ddl: "binary(255)", values: []string{"'a'"}, show: b, kind: change.Bytes},
		{ddl: "varbinary(300)", values: []string{"x'00ff00'", "''"}, show: b, kind: change.Bytes},
		{ddl: "tinyblob", values: []string{"x'00'"}, show: b, kind: change.Bytes},
		{ddl: "blob", values: []string{"REPEAT(x'ff', 1000)"}, show: b, kind: change.Bytes},
		{ddl: "mediumblob", values: []string{"''"}, show: b, kind: change.Bytes},
		{ddl: "longblob", values: []string{"x'00'"}, show: b, kind: change.Bytes},
		{ddl: "enum('a','b''c','ü')", values: []string{"'a'", "'b''c'", "'ü'", "0"}, kind: change.String},
		{ddl: "set('x','y','ü')", values: []string{"'x,ü'", "''", "'x,y,ü'"}, kind: change.String},
		{ddl: "set('" + strings.Join(letters(64), "','") + "')", values: []string{"'a0,a63'", "18446744073709551615"}, kind: change.String},
		{ddl: "enum('" + strings.Join(letters(300), "','") + "')", values: []string{"'a299'"}, kind: change.String},
		{ddl: "point", values: []string{"ST_GeomFromText('POINT(1 2)')"}, show: b, kind: change.Bytes},
		{ddl: "geometry", values: []string{"ST_GeomFromText('LINESTRING(0 0, 1 1)')"}, show: b, kind: change.Bytes},
		{ddl: "char(4) character set latin1", want: "char(4)", values: []string{"'ä€'", "_latin1 x'81'"}, kind: change.String},
		{ddl: "varchar(4) character set latin2", want: "varchar(4)", values: []string{"'ąč'"}, kind: change.String},
		{ddl: "varchar(4) character set gbk", want: "varchar(4)", values: []string{"'中文ab'"}, kind: change.String},
		{ddl: "varchar(4) character set big5", want: "varchar(4)", values: []string{"'中文'"}, kind: change.String},
		{ddl: "varchar(9) character set sjis", want: "varchar(9)", values: []string{"'日本ｱ\\\\'"}, kind: change.String},
		{ddl: "varchar(9) character set ujis", want: "varchar(9)", values: []string{"'日本'"}, kind: change.String},
		{ddl: "varchar(9) character set euckr", want: "varchar(9)", values: []string{"'한국'"}, kind: change.String},
		{ddl: "varchar(9) character set koi8r", want: "varchar(9)", values: []string{"'Привет'"}, kind: change.String},
		{ddl: "varchar(9) character set cp1251", want: "varchar(9)", values: []string{"'Привет'"}, kind: change.String},
		{ddl: "varchar(9) character set utf16", want: "varchar(9)", values: []string{"'aä😀'"}, kind: change.String},
		{ddl: "varchar(9) character set utf16le", want: "varchar(9)", values: []string{"'aä😀'"}, kind: change.String},
		{ddl: "varchar(9) character set utf32", want: "varchar(9)", values: []string{"'aä😀'"}, kind: change.String},
		{ddl: "varchar(9) character set ucs2", want: "varchar(9)", values: []string{"'aä'"}, kind: change.String},
		{ddl: "varchar(9) character set utf8mb3", want: "varchar(9)", values: []string{"'aä€'"}, kind: change.String},
		{ddl: "varchar(9) character set ascii", want: "varchar(9)", values: []string{"'abc'"}, kind: change.String},
		{ddl: "varchar(9) character set swe7", want: "varchar(9)", values: []string{"'åäö'"}, kind: change.String},
		{ddl: "enum('ä') character set latin1", want: "enum('ä')", values: []string{"'ä'"}, kind: change.String},

		{ddl: "json", only: "mysql", kind: change.JSON, values: jsonValues()},
		{ddl: "vector(3)", want: "vector", only: "mysql", show: b, kind: change.Bytes, values: []string{"STRING_TO_VECTOR('[1,2,3]')"}},
		{ddl: "json", want: "longtext", only: "mariadb", kind: change.String, values: []string{`'{"a": 1}'`}},
		{ddl: "uuid", want: "binary(16)", only: "mariadb", kind: change.Bytes, show: "-", values: []string{"'00112233-4455-6677-8899-aabbccddee00'"}},
		{ddl: "inet6", want: "binary(16)", only: "mariadb", kind: change.Bytes, show: "-", values: []string{"'::'", "'2001:db8::'"}},
		{ddl: "text compressed", want: "text", only: "mariadb", kind: change.String, values: []string{"'short'", "''", "REPEAT('long ä', 1000)"}},
		{ddl: "blob compressed", want: "blob", only: "mariadb", kind: change.Bytes, show: b, values: []string{"REPEAT(x'00ff', 3000)"}},
		{ddl: "varchar(3000) compressed", want: "varchar(3000)", only: "mariadb", kind: change.String, values: []string{"REPEAT('long ', 500)", "'a'"}},
		{ddl: "varbinary(30) compressed", want: "varbinary(30)", only: "mariadb", kind: change.Bytes, show: b, values: []string{"x'0001'", "''"}},
	}
}

func letters(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("a%d", i)
	}
	return all
}

func jsonValues() []string {
	big := make([]string, 9000)
	for i := range big {
		big[i] = fmt.Sprintf(`"k%d": %d`, i, i*7777)
	}
	return []string{
		`'{"a": [1, -1, 65536, -70000, 4294967296, -9223372036854775808, 18446744073709551615], "": null, "b": {"c": true, "d": false}}'`,
		`'[]'`, `'{}'`, `'"s\\u0001\\n\\"\\\\/ä😀"'`, `'1.5'`, `'1e100'`, `'1E-7'`, `'100.0'`, `'-0.0'`, `'0.1'`, `'123456789012345680000'`, `'1e15'`, `'999999999999999.0'`, `'1e-15'`, `'1.7976931348623157e308'`, `'5e-324'`, `'0.00001'`,
		`JSON_ARRAY(CAST('12345678901234567890.123' AS DECIMAL(30,5)), CAST('-0.5' AS DECIMAL(3,2)))`,
		`JSON_ARRAY(CAST('2024-02-29' AS DATE), CAST('2024-02-29 12:34:56.789' AS DATETIME(6)), CAST('-12:34:56.5' AS TIME(3)), CAST('838:59:59' AS TIME))`,
		`JSON_ARRAY(CAST('ab' AS BINARY), x'00ff', b'101')`,
		`CAST('null' AS JSON)`, `'"` + strings.Repeat("x", 70000) + `"'`,
		`'{` + strings.Join(big, ", ") + `}'`,
		`'[[[[[[[[[[1]]]]]]]]]]'`,
	}
}

func TestTypes(t *testing.T) {
	onServers(t, func(t *testing.T, b *bench, mariadb bool) {
		flavor := map[bool]string{true: "mariadb", false: "mysql"}[mariadb]
		var cases []typeCase
		for _, c := range typeCases() {
			if c.only == "" || c.only == flavor {
				cases = append(cases, c)
			}
		}
		// In few wide tables, so that the metadata of kinds of columns stand among others'.
		for from := 0; from < len(cases); from += 20 {
			typesTable(b, fmt.Sprintf("t%d", from), cases[from:min(from+20, len(cases))])
		}
	})
}

func typesTable(b *bench, table string, cases []typeCase) {
	b.t.Helper()
	var columns []string
	rows := 0
	for i, c := range cases {
		columns = append(columns, fmt.Sprintf("c%d %s NULL", i, c.ddl))
		rows = max(rows, len(c.values))
	}
	statements := []string{"SET sql_mode = ''", "CREATE TABLE " + table + " (id INT PRIMARY KEY, " + strings.Join(columns, ", ") + ")"}
	for r := range rows {
		values := []string{fmt.Sprint(r)}
		for _, c := range cases {
			if r < len(c.values) {
				values = append(values, c.values[r])
			} else {
				values = append(values, "NULL")
			}
		}
		statements = append(statements, "INSERT INTO "+table+" VALUES ("+strings.Join(values, ", ")+")")
	}
	from := b.tail()
	b.session(statements...)
	s := b.open(from)
	defer s.Close()
	for r := 0; r < rows; {
		event, err := s.Next(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		e, ok := event.(*change.Rows)
		if !ok || e.Table.Name != table {
			continue
		}
		for _, row := range e.Rows {
			compareRow(b, table, cases, r, e.Table, row.After)
			r++
		}
	}
}

func compareRow(b *bench, table string, cases []typeCase, r int, t *change.Table, row []change.Value) {
	b.t.Helper()
	for i, c := range cases {
		want := c.want
		if want == "" {
			want = c.ddl
		}
		if got := t.Columns[i+1].Type; got != want {
			b.t.Errorf("%s is %q, want %q", c.ddl, got, want)
		}
		v := row[i+1]
		if r >= len(c.values) {
			if v.Kind != change.Null {
				b.t.Errorf("%s NULL: got kind %d, %s", c.ddl, v.Kind, valueText(v))
			}
			continue
		}
		if v.Kind != c.kind {
			b.t.Errorf("%s %.40s: got kind %d, %.60s, want %d", c.ddl, c.values[r], v.Kind, valueText(v), c.kind)
		}
		name := fmt.Sprintf("c%d", i)
		show := "CAST(" + name + " AS CHAR CHARACTER SET utf8mb4)"
		if c.show == "-" {
			continue
		}
		if c.show != "" {
			show = fmt.Sprintf(c.show, name)
		}
		var text string
		if err := b.db.QueryRow("SELECT " + show + " FROM " + table + fmt.Sprintf(" WHERE id = %d", r)).Scan(&text); err != nil {
			b.t.Fatalf("%s: %v", c.ddl, err)
		}
		if got := valueText(v); got != text {
			b.t.Errorf("%s %.40s: got %.200q, the server says %.200q", c.ddl, c.values[r], got, text)
		}
	}
}
