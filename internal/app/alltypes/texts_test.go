package alltypes

const (
	aText    = "a string"
	aGarbled = `{"$bytes": "<base64>"}`
)

func texts() []column {
	text := []*field{stringField, bytesField}
	ascii := []cell{{sql: "''", event: `""`}, {sql: "'text'", event: `"text"`}}
	with := func(more ...cell) []cell { return append(ascii[:len(ascii):len(ascii)], more...) }
	return []column{
		{
			ddl: "CHAR(5) CHARACTER SET latin1", event: aText, fields: text, about: "Without the blanks at its end, which MySQL never shows.",
			cells: with(
				cell{sql: "'é€'", event: `"é€"`},
				cell{sql: "'ab   '", event: `"ab"`, about: "blanks at the end are not stored"},
				cell{sql: "x'0009'", event: `"\u0000\t"`},
			),
			given: []given{
				{field: stringField, json: `"ab "`, reason: "must not end in a space"},
				{field: stringField, json: `"abcdef"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `"漢"`, reason: "INVALID_ARGUMENT"},
			},
		},
		{ddl: "CHAR(3) CHARACTER SET utf8mb3", event: aText, fields: text, cells: []cell{{sql: "''", event: `""`}, {sql: "'né€'", event: `"né€"`}}},
		{ddl: "CHAR(255) CHARACTER SET utf8mb4", event: aText, fields: text, cells: with(cell{sql: "REPEAT('🌳', 255)", event: quoted("🌳", 255)})},
		{
			ddl: "VARCHAR(255) CHARACTER SET latin1", event: aText, fields: text,
			cells: with(cell{sql: "'naïve €uro'", event: `"naïve €uro"`}, cell{sql: "x'8081'", event: "\"€\u0081\""}, cell{sql: "'ab  '", event: `"ab  "`, about: "blanks at the end are kept"}),
		},
		{
			ddl: "VARCHAR(20) CHARACTER SET ascii", event: aText, fields: text,
			cells: with(cell{sql: "x'007F'", event: "\"\\u0000\u007f\""}),
			given: []given{
				{field: stringField, json: `"é"`, reason: "INVALID_ARGUMENT"},
			},
		},
		{
			ddl: "VARCHAR(20) CHARACTER SET utf8mb3", event: aText, fields: text,
			cells: with(cell{sql: "'naïve €uro 漢字'", event: `"naïve €uro 漢字"`}),
			given: []given{
				{field: stringField, json: `"🌳"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `"12345678901234567890 "`, reason: "too long"},
				{field: bytesField, json: `"/w=="`, reason: "valid UTF-8"},
			},
		},
		{
			ddl: "VARCHAR(300) CHARACTER SET utf8mb4", event: aText, fields: text,
			cells: with(
				cell{sql: "'naïve 🌳 漢字'", event: `"naïve 🌳 漢字"`},
				cell{sql: "REPEAT('x', 300)", event: quoted("x", 300)},
				cell{sql: `'"quoted"\\\n'`, event: `"\"quoted\"\\\n"`},
				cell{sql: "x'E28080EFBBBF'", event: "\"\u2000\ufeff\""},
			),
		},
		{ddl: "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", event: aText, fields: text, cells: with(cell{sql: "'naïve 🌳'", event: `"naïve 🌳"`})},
		{
			ddl: "VARCHAR(20) CHARACTER SET gbk", event: aText, fields: text,
			cells: with(
				cell{sql: "'汉字'", event: `"汉字"`},
				cell{sql: "x'A2A1'", event: `"ⅰ"`},
				cell{
					sql: "CAST(x'FEFE' AS BINARY)", event: `{"$bytes":"/v4="}`, about: "bytes of the charset that have no character",
					altered: map[string]altered{"string": {read: `"?"`, stored: "3F"}, "bytes": {read: `"Pw=="`, stored: "3F"}},
				},
			),
			given: []given{
				{field: stringField, json: `"🌳"`, reason: "INVALID_ARGUMENT"},
			},
		},
		{ddl: "VARCHAR(20) CHARACTER SET big5", event: aText, fields: text, cells: with(cell{sql: "'漢字'", event: `"漢字"`})},
		{ddl: "VARCHAR(20) CHARACTER SET sjis", event: aText, fields: text, cells: with(cell{sql: "'漢字ｶ'", event: `"漢字ｶ"`})},
		{ddl: "VARCHAR(20) CHARACTER SET euckr", event: aText, fields: text, cells: with(cell{sql: "'한글'", event: `"한글"`})},
		{ddl: "VARCHAR(20) CHARACTER SET cp1251", event: aText, fields: text, cells: with(cell{sql: "'Привет'", event: `"Привет"`})},
		{
			ddl: "VARCHAR(20) CHARACTER SET ucs2", event: aText, fields: []*field{stringField},
			cells: with(cell{sql: "'é漢'", event: `"é漢"`}, cell{sql: "x'D800'", event: `{"$bytes":"2AA="}`, unread: by("string", "not valid UTF-8"), about: "half of a surrogate pair, which is no text"}),
		},
		{ddl: "VARCHAR(20) CHARACTER SET utf16", event: aText, fields: text, cells: with(cell{sql: "'é🌳'", event: `"é🌳"`})},
		{ddl: "VARCHAR(20) CHARACTER SET utf32", event: aText, fields: text, cells: with(cell{sql: "'é🌳'", event: `"é🌳"`})},
		{ddl: "TINYTEXT CHARACTER SET latin1", event: aText, fields: text, cells: with(cell{sql: "REPEAT('é', 255)", event: quoted("é", 255)})},
		{ddl: "TEXT", event: aText, fields: text, cells: with(cell{sql: "REPEAT('漢', 21845)", event: quoted("漢", 21845)})},
		{ddl: "MEDIUMTEXT", event: aText, fields: text, cells: with(cell{sql: "REPEAT('x', 70000)", event: quoted("x", 70000)})},
		{ddl: "LONGTEXT CHARACTER SET utf8mb3", event: aText, fields: text, cells: with(cell{sql: "'é'", event: `"é"`})},
		{
			ddl: "VARCHAR(300) COMPRESSED", on: "mariadb", event: aText, fields: text, about: "What a column with COMPRESSED holds is as without.",
			cells: with(cell{sql: "REPEAT('é', 300)", event: quoted("é", 300)}),
		},
		{ddl: "TEXT COMPRESSED", on: "mariadb", event: aText, fields: text, cells: with(cell{sql: "REPEAT('x', 2000)", event: quoted("x", 2000)})},
	}
}

func labels() []column {
	sizes := map[string]string{"": "SIZE_NONE", "small": "SIZE_SMALL", "größer": "SIZE_LARGER", "2": "SIZE_TWO"}
	return []column{
		{
			ddl: "ENUM('small','größer','2')", event: "a string, the label", fields: []*field{stringField, enumField}, members: sizes, stored: "v + 0",
			about: "A value that was no label when it was stored, which a server that is not strict lets in, is the empty string, in the log and in every client.",
			cells: []cell{
				{sql: "'small'", event: `"small"`},
				{sql: "'größer'", event: `"größer"`},
				{sql: "'2'", event: `"2"`, about: "a label that looks like an index"},
				{sql: "'nope'", event: `""`, unwritten: by("string", "must be one of small, größer, 2", "enum", "must be one of small, größer, 2"), about: "no label: the empty string"},
			},
			given: []given{
				{field: stringField, json: `"SMALL"`, reason: "must be one of"},
				{field: stringField, json: `"1"`, reason: "must be one of"},
				{field: stringField, json: `""`, reason: "must be one of"},
				{field: enumField, json: `"SIZE_UNSPECIFIED"`, reason: "must be one of"},
				{field: enumField, json: `"SIZE_NONE"`, reason: "must be one of"},
			},
		},
		{
			ddl: "ENUM('','größer') CHARACTER SET latin1", event: "a string, the label", fields: []*field{stringField, enumField}, members: sizes, stored: "v + 0",
			cells: []cell{
				{sql: "''", event: `""`, about: "a label that is empty"},
				{sql: "'größer'", event: `"größer"`},
			},
		},
		{
			ddl: "ENUM(" + labelled("'", 300) + ")", event: "a string, the label", fields: []*field{stringField}, members: sizes, stored: "v + 0",
			cells: []cell{{sql: "'m1'", event: `"m1"`}, {sql: "'m300'", event: `"m300"`}},
		},
		{
			ddl: "SET('x','y','é')", event: "a string with commas between members, in the column's order", fields: []*field{stringField, listField}, stored: "v + 0",
			about: "A member has no comma in it, so the string is split at each. The empty string is the empty set.",
			cells: []cell{
				{sql: "''", event: `""`, about: "the empty set"},
				{sql: "'x'", event: `"x"`},
				{sql: "'é,x'", event: `"x,é"`},
				{sql: "'nope,y'", event: `"y"`, about: "what is no member was not stored"},
			},
			given: []given{
				{field: stringField, json: `"y,x"`, reason: "in this order"},
				{field: stringField, json: `"x,x"`, reason: "each value once"},
				{field: stringField, json: `"nope"`, reason: "must be of"},
				{field: stringField, json: `"3"`, reason: "must be of"},
			},
		},
		{
			ddl: "SET(" + labelled("'", 17) + ")", event: "a string with commas between members, in the column's order", fields: []*field{stringField, listField}, stored: "v + 0",
			cells: []cell{{sql: "'m17,m9,m1'", event: `"m1,m9,m17"`}},
		},
		{
			ddl: "SET(" + labelled("'", 64) + ")", event: "a string with commas between members, in the column's order", fields: []*field{stringField, listField}, stored: "v + 0",
			about: "A SET has up to 64 members.",
			cells: []cell{{sql: "'m64,m1'", event: `"m1,m64"`}, {sql: "'" + labelled("", 64) + "'", event: `"` + labelled("", 64) + `"`}},
		},
	}
}
