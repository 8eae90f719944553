package alltypes

const someBytes = "a string, base64"

func octets() []column {
	raw := []*field{bytesField}
	empty := cell{sql: "''", event: `""`}
	return []column{
		{
			ddl: "BINARY(4)", event: someBytes, fields: raw, about: "With the zeros that it is filled up with.",
			cells: []cell{
				{sql: "x'01'", event: `"AQAAAA=="`},
				{sql: "x'01020000'", event: `"AQIAAA=="`},
				{sql: "''", event: `"AAAAAA=="`},
				{sql: "x'FFFEFD80'", event: `"//79gA=="`},
				{sql: "x'20202020'", event: `"ICAgIA=="`},
			},
			given: []given{
				{field: bytesField, json: `"AQ=="`, reason: "exactly 4 bytes"},
				{field: bytesField, json: `""`, reason: "exactly 4 bytes"},
				{field: bytesField, json: `"AQIDBAU="`, reason: "exactly 4 bytes"},
			},
		},
		{ddl: "BINARY(255)", event: someBytes, fields: raw, cells: []cell{{sql: "x'01'", event: zeros(1, 254)}, {sql: "''", event: zeros(0, 255)}}},
		{ddl: "CHAR(4) CHARACTER SET binary", event: someBytes, fields: raw, about: "Is BINARY(4).", cells: []cell{{sql: "'ab'", event: `"YWIAAA=="`}}},
		{ddl: "VARBINARY(300)", event: someBytes, fields: raw, cells: []cell{empty, {sql: "x'FF00FE00'", event: `"/wD+AA=="`}, {sql: "x'0100'", event: `"AQA="`, about: "zeros at the end are kept"}}},
		{
			ddl: "TINYBLOB", event: someBytes, fields: raw,
			cells: []cell{empty, {sql: "x'80'", event: `"gA=="`}},
			given: []given{
				{field: bytesField, json: zeros(0, 256), reason: "INVALID_ARGUMENT"},
			},
		},
		{ddl: "BLOB", event: someBytes, fields: raw, cells: []cell{empty, {sql: "REPEAT(x'00', 65535)", event: zeros(0, 65535)}}},
		{ddl: "MEDIUMBLOB", event: someBytes, fields: raw, cells: []cell{empty, {sql: "REPEAT(x'00', 70000)", event: zeros(0, 70000)}}},
		{ddl: "LONGBLOB", event: someBytes, fields: raw, cells: []cell{empty, {sql: "'text'", event: `"dGV4dA=="`}}},
		{ddl: "VARBINARY(300) COMPRESSED", on: "mariadb", event: someBytes, fields: raw, cells: []cell{empty, {sql: "REPEAT(x'00', 300)", event: zeros(0, 300)}}},
		{ddl: "BLOB COMPRESSED", on: "mariadb", event: someBytes, fields: raw, cells: []cell{empty, {sql: "REPEAT(x'00', 2000)", event: zeros(0, 2000)}}},
	}
}
