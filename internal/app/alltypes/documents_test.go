package alltypes

// mysqlJSON and mariadbJSON are two tables' worth: a JSON column of MySQL stores a document, one of MariaDB is text that
// was checked.
func documents() []column {
	fields := []*field{stringField, valueField, structField}
	noStruct := by("Struct", "is no google.protobuf.Struct")
	return []column{
		{
			ddl: "JSON", on: "mysql", event: "the JSON value itself", fields: fields, document: true, stored: "CAST(v AS CHAR)",
			about: "As MySQL stores it: keys sorted by length, then by bytes, of a repeated key the last, numbers as written or as the shortest double.",
			cells: []cell{
				{sql: `'{}'`, event: `{}`},
				{sql: `'{"b": [1, null, true, "x"], "a": {"c": -1}}'`, event: `{"a": {"c": -1}, "b": [1, null, true, "x"]}`},
				{sql: `'null'`, event: `{"$json":null}`, unread: by("Struct", ""), about: "JSON's null, which is not NULL"},
				{sql: `'{"$bytes": "/w=="}'`, event: `{"$json":{"$bytes": "/w=="}}`},
				{sql: `'"text 🌳"'`, event: `"text 🌳"`, unread: noStruct},
				{sql: `'9007199254740993'`, event: `9007199254740993`, unread: by("Struct", "is no google.protobuf.Struct", "Value", "more digits than a double holds")},
				{sql: `'18446744073709551615'`, event: `18446744073709551615`, unread: by("Struct", "is no google.protobuf.Struct", "Value", "more digits than a double holds")},
				{sql: `'[1.5, 1e100, 0.10]'`, event: `[1.5, 1e100, 0.1]`, unread: noStruct},
				{sql: "JSON_ARRAY(CAST(1.10 AS DECIMAL(5,2)))", event: `[1.10]`, unread: noStruct, altered: map[string]altered{"string": {stored: "[1.1]"}, "Value": {stored: "[1.1]"}}, about: "a DECIMAL in JSON, which JSON text can't tell from a double"},
				{sql: "JSON_ARRAY(CAST('2024-01-01 00:00:00.5' AS DATETIME(6)), CAST('-01:00:00' AS TIME), CAST('2024-01-01' AS DATE))", event: `["2024-01-01 00:00:00.500000", "-01:00:00.000000", "2024-01-01"]`, unread: noStruct, about: "times have six decimals"},
				{sql: "JSON_ARRAY(x'00FF', b'101')", event: `["base64:type15:AP8=", "base64:type15:BQ=="]`, unread: noStruct, about: "bytes, as MySQL writes them"},
				{sql: "JSON_OBJECT('long', REPEAT('x', 70000))", event: `{"long": ` + quoted("x", 70000) + `}`},
				{sql: `'false'`, event: `false`, unread: noStruct},
				{sql: `'""'`, event: `""`, unread: noStruct},
			},
			given: []given{
				{field: stringField, json: `"{"`, reason: "must be JSON text"},
				{field: stringField, json: `""`, reason: "must be JSON text"},
			},
		},
		{
			ddl: "JSON", on: "mariadb", event: "a string, the JSON text", fields: fields, document: true,
			about: "MariaDB's JSON is LONGTEXT with a check, and the log has it as text: parse the string.",
			cells: []cell{
				{sql: `'{}'`, event: `"{}"`},
				{sql: `'{"b": [1, null, true, "x"], "a": {"c": -1}}'`, event: `"{\"b\": [1, null, true, \"x\"], \"a\": {\"c\": -1}}"`, about: "as it was written"},
				{sql: `'null'`, event: `"null"`, unread: by("Struct", "")},
				{sql: `'"text 🌳"'`, event: `"\"text 🌳\""`, unread: noStruct},
				{sql: `'9007199254740993'`, event: `"9007199254740993"`, unread: by("Struct", "is no google.protobuf.Struct", "Value", "more digits than a double holds")},
				{sql: `'[1.5, 1e100, 0.10]'`, event: `"[1.5, 1e100, 0.10]"`, unread: noStruct},
			},
			given: []given{
				{field: stringField, json: `"{"`, reason: "CHECK_FAILED"},
				{field: stringField, json: `""`, reason: "CHECK_FAILED"},
			},
		},
	}
}

func shapes() []column {
	const about = "Four bytes of SRID, the lowest first, and then well-known binary (WKB)."
	raw := []*field{bytesField}
	all := []column{
		{
			ddl: "GEOMETRY", event: someBytes, fields: raw, about: about,
			cells: []cell{
				{sql: "ST_GeomFromText('POINT(1 2)')", event: `"AAAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="`},
				{sql: "ST_GeomFromText('POINT(1 2)', 3857)", event: `"EQ8AAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="`, about: "with an SRID"},
			},
		},
	}
	for _, shape := range []struct{ ddl, text, event string }{
		{"POINT", "POINT(1 2)", `"AAAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="`},
		{"LINESTRING", "LINESTRING(0 0,1 1)", `"AAAAAAECAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADwPwAAAAAAAPA/"`},
		{"POLYGON", "POLYGON((0 0,1 0,1 1,0 0))", `"AAAAAAEDAAAAAQAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8D8AAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8AAAAAAAAAAAAAAAAAAAAA"`},
		{"MULTIPOINT", "MULTIPOINT(1 2)", `"AAAAAAEEAAAAAQAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="`},
		{"MULTILINESTRING", "MULTILINESTRING((0 0,1 1))", `"AAAAAAEFAAAAAQAAAAECAAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAADwPwAAAAAAAPA/"`},
		{"MULTIPOLYGON", "MULTIPOLYGON(((0 0,1 0,1 1,0 0)))", `"AAAAAAEGAAAAAQAAAAEDAAAAAQAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA8D8AAAAAAAAAAAAAAAAAAPA/AAAAAAAA8D8AAAAAAAAAAAAAAAAAAAAA"`},
		{"GEOMETRYCOLLECTION", "GEOMETRYCOLLECTION(POINT(1 2))", `"AAAAAAEHAAAAAQAAAAEBAAAAAAAAAAAA8D8AAAAAAAAAQA=="`},
	} {
		all = append(all, column{
			ddl: shape.ddl, event: someBytes, fields: raw, cells: []cell{{sql: "ST_GeomFromText('" + shape.text + "')", event: shape.event}},
			given: []given{{field: bytesField, json: `"AQ=="`, reason: "INVALID_ARGUMENT"}},
		})
	}
	return append(all, column{
		ddl: "VECTOR(3)", on: "mysql", event: someBytes, fields: raw, about: "Four bytes a number: IEEE 754 floats, the lowest byte first.",
		cells: []cell{{sql: "STRING_TO_VECTOR('[1,-2.5,0]')", event: `"AACAPwAAIMAAAAAA"`}},
		given: []given{{field: bytesField, json: `"AQ=="`, reason: "INVALID_ARGUMENT"}},
	})
}
