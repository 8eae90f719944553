package alltypes

const (
	aNumber = "a number"
	aDigits = "a string of digits"
)

func integers() []column {
	small := []*field{int32Field, int64Field, stringField}
	smallUnsigned := []*field{uint32Field, int64Field, stringField}
	return []column{
		{
			ddl: "TINYINT", event: aNumber, fields: append(small, boolField), about: "BOOL and BOOLEAN are TINYINT(1): a number here as well, 0 or 1 as a rule.",
			cells: []cell{
				{sql: "-128", event: "-128", unread: by("bool", "col <> 0")},
				{sql: "0", event: "0"},
				{sql: "1", event: "1"},
				{sql: "127", event: "127", unread: by("bool", "col <> 0")},
			},
			given: []given{
				{field: int32Field, json: `128`, reason: "from -128 to 127"},
				{field: int64Field, json: `"-129"`, reason: "from -128 to 127"},
				{field: stringField, json: `"01"`, reason: "without leading zeros"},
				{field: stringField, json: `"1.5"`, reason: "whole number"},
				{field: stringField, json: `"128"`, reason: "from -128 to 127"},
			},
		},
		{ddl: "TINYINT UNSIGNED", event: aNumber, fields: smallUnsigned, cells: []cell{{sql: "0", event: "0"}, {sql: "255", event: "255"}}},
		{ddl: "SMALLINT", event: aNumber, fields: small, cells: []cell{{sql: "-32768", event: "-32768"}, {sql: "0", event: "0"}, {sql: "32767", event: "32767"}}},
		{ddl: "SMALLINT UNSIGNED", event: aNumber, fields: smallUnsigned, cells: []cell{{sql: "0", event: "0"}, {sql: "65535", event: "65535"}}},
		{ddl: "MEDIUMINT", event: aNumber, fields: small, cells: []cell{{sql: "-8388608", event: "-8388608"}, {sql: "-1", event: "-1"}, {sql: "8388607", event: "8388607"}}},
		{ddl: "MEDIUMINT UNSIGNED", event: aNumber, fields: smallUnsigned, cells: []cell{{sql: "0", event: "0"}, {sql: "16777215", event: "16777215"}}},
		{
			ddl: "INT", event: aNumber, fields: append(small, boolField),
			cells: []cell{
				{sql: "-2147483648", event: "-2147483648", unread: by("bool", "col <> 0")},
				{sql: "0", event: "0"},
				{sql: "2147483647", event: "2147483647", unread: by("bool", "col <> 0")},
			},
		},
		{
			ddl: "INT UNSIGNED", event: aNumber, fields: append(smallUnsigned, int32Field),
			cells: []cell{{sql: "0", event: "0"}, {sql: "4294967295", event: "4294967295", unread: by("int32", "does not fit int32")}},
			given: []given{
				{field: int32Field, json: `-1`, reason: "from 0 to 4294967295"},
				{field: int64Field, json: `"4294967296"`, reason: "from 0 to 4294967295"},
			},
		},
		{
			ddl: "INT(5) UNSIGNED ZEROFILL", event: aNumber, fields: smallUnsigned, about: "The zeros of ZEROFILL are not part of the value.",
			cells: []cell{{sql: "7", event: "7"}, {sql: "123456", event: "123456"}},
		},
		{
			ddl: "BIGINT", event: aDigits, fields: []*field{int64Field, stringField, int32Field},
			cells: []cell{
				{sql: "-9223372036854775808", event: `"-9223372036854775808"`, unread: by("int32", "does not fit int32")},
				{sql: "-1", event: `"-1"`},
				{sql: "0", event: `"0"`},
				{sql: "9007199254740993", event: `"9007199254740993"`, unread: by("int32", "does not fit int32"), about: "more than a double holds"},
				{sql: "9223372036854775807", event: `"9223372036854775807"`, unread: by("int32", "does not fit int32")},
			},
			given: []given{
				{field: stringField, json: `"9223372036854775808"`, reason: "to 9223372036854775807"},
				{field: stringField, json: `"+1"`, reason: "whole number"},
			},
		},
		{
			ddl: "BIGINT UNSIGNED", event: aDigits, fields: []*field{uint64Field, stringField, int64Field},
			cells: []cell{
				{sql: "0", event: `"0"`},
				{sql: "9223372036854775808", event: `"9223372036854775808"`, unread: by("int64", "does not fit int64")},
				{sql: "18446744073709551615", event: `"18446744073709551615"`, unread: by("int64", "does not fit int64")},
			},
			given: []given{
				{field: int64Field, json: `"-1"`, reason: "from 0 to"},
				{field: stringField, json: `"18446744073709551616"`, reason: "whole number"},
			},
		},
		{
			ddl: "BIT(1)", event: aDigits, fields: []*field{uint64Field, boolField, bytesField}, bits: 1, stored: "v + 0",
			cells: []cell{{sql: "b'0'", event: `"0"`}, {sql: "b'1'", event: `"1"`}},
		},
		{
			ddl: "BIT(10)", event: aDigits, fields: []*field{uint64Field, uint32Field, bytesField}, bits: 10, stored: "v + 0",
			cells: []cell{{sql: "b'0'", event: `"0"`}, {sql: "b'1000000001'", event: `"513"`}, {sql: "b'1111111111'", event: `"1023"`}},
			given: []given{
				{field: uint64Field, json: `"1024"`, reason: "from 0 to 1023"},
				{field: bytesField, json: `"Ag=="`, reason: "exactly 2 bytes"},
				{field: bytesField, json: `"BAA="`, reason: "at most 10 bits"},
			},
		},
		{
			ddl: "BIT(64)", event: aDigits, fields: []*field{uint64Field, bytesField}, bits: 64, stored: "v + 0",
			cells: []cell{
				{sql: "0", event: `"0"`},
				{sql: "x'8000000000000000'", event: `"9223372036854775808"`},
				{sql: "x'FFFFFFFFFFFFFFFF'", event: `"18446744073709551615"`},
			},
		},
		{
			ddl: "YEAR(2)", on: "mariadb", event: aNumber, fields: []*field{int32Field}, stored: "v + 0", about: "MariaDB still has it. It shows two digits to every client, and events have the year.",
			cells: []cell{
				{sql: "2000", event: "2000", altered: map[string]altered{"int32": {read: "0", stored: ""}}, about: "shown as 00, as the year 0000 is"},
				{sql: "1970", event: "1970", unread: by("int32", "make the column a YEAR")},
				{sql: "2069", event: "2069", unread: by("int32", "make the column a YEAR")},
			},
		},
		{
			ddl: "YEAR", event: aNumber, fields: []*field{int32Field, uint32Field, int64Field}, stored: "v + 0",
			cells: []cell{{sql: "0", event: "0", about: "the year 0000"}, {sql: "1901", event: "1901"}, {sql: "2155", event: "2155"}},
			given: []given{
				{field: int32Field, json: `70`, reason: "1901 to 2155"},
				{field: int32Field, json: `1900`, reason: "1901 to 2155"},
				{field: int32Field, json: `2156`, reason: "1901 to 2155"},
				{field: int32Field, json: `-1`, reason: "1901 to 2155"},
			},
		},
	}
}
