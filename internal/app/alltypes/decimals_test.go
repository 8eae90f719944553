package alltypes

const (
	aDecimal  = "a string, as MySQL writes it"
	aFloating = "a number, the shortest that is the same again"
)

func decimals() []column {
	text := []*field{stringField, decimalField}
	return []column{
		{
			ddl: "DECIMAL(65,30)", event: aDecimal, fields: text, stored: "CAST(v AS CHAR)", about: "With all decimals of the column, zeros at the end too. NUMERIC, DEC and FIXED are DECIMAL.",
			cells: []cell{
				{sql: "0", event: `"0.000000000000000000000000000000"`},
				{sql: "99999999999999999999999999999999999.999999999999999999999999999999", event: `"99999999999999999999999999999999999.999999999999999999999999999999"`},
				{sql: "-99999999999999999999999999999999999.999999999999999999999999999999", event: `"-99999999999999999999999999999999999.999999999999999999999999999999"`},
				{sql: "0.000000000000000000000000000001", event: `"0.000000000000000000000000000001"`},
				{sql: "-1.5", event: `"-1.500000000000000000000000000000"`},
			},
		},
		{
			ddl: "DECIMAL(15,4)", event: aDecimal, fields: append(text, moneyField), stored: "CAST(v AS CHAR)",
			cells: []cell{
				{sql: "12.5", event: `"12.5000"`},
				{sql: "-0.0001", event: `"-0.0001"`},
				{sql: "0", event: `"0.0000"`},
				{sql: "99999999999.9999", event: `"99999999999.9999"`},
			},
			given: []given{
				{field: stringField, json: `"0.00001"`, reason: "decimals"},
				{field: decimalField, json: `{"value":"100000000000"}`, reason: "before the point"},
				{field: moneyField, json: `{"nanos":1}`, reason: "decimals"},
			},
		},
		{
			ddl: "DECIMAL(20,0) UNSIGNED", event: aDecimal, fields: append(text, uint64Field), stored: "CAST(v AS CHAR)",
			cells: []cell{
				{sql: "0", event: `"0"`},
				{sql: "18446744073709551615", event: `"18446744073709551615"`},
				{sql: "99999999999999999999", event: `"99999999999999999999"`, unread: by("uint64", "does not fit uint64")},
			},
			given: []given{
				{field: stringField, json: `"-1"`, reason: "INVALID_ARGUMENT"},
			},
		},
		{
			ddl: "DECIMAL(10,2) UNSIGNED ZEROFILL", event: aDecimal, fields: text, stored: "CAST(v AS CHAR)", about: "The zeros of ZEROFILL are not part of the value.",
			cells: []cell{{sql: "1.5", event: `"1.50"`}, {sql: "0", event: `"0.00"`}, {sql: "12345678.90", event: `"12345678.90"`}},
		},
		{ddl: "DECIMAL(3,3)", event: aDecimal, fields: text, stored: "CAST(v AS CHAR)", cells: []cell{{sql: "0.999", event: `"0.999"`}, {sql: "-0.001", event: `"-0.001"`}, {sql: "0", event: `"0.000"`}}},
		{
			ddl: "FLOAT", event: aFloating, fields: []*field{floatField, doubleField}, stored: "CAST(v AS DOUBLE)", about: "MySQL's own text of a FLOAT has six digits only; the event has all that it takes.",
			cells: []cell{
				{sql: "0", event: "0"},
				{sql: "ROUND(-0.4e0)", event: "-0", on: "mysql", about: "a negative zero, which MariaDB stores as 0"},
				{sql: "0.1", event: "0.1"},
				{sql: "16777217", event: "16777216"},
				{sql: "3.4028234663852886e38", event: "3.4028235e+38", about: "the greatest"},
				{sql: "-3.4028234663852886e38", event: "-3.4028235e+38"},
				{sql: "1.1754943508222875e-38", event: "1.1754944e-38", about: "the smallest that is normal"},
				{sql: "1.401298464324817e-45", event: "1e-45", about: "the smallest"},
			},
			given: []given{
				{field: doubleField, json: `0.1`, reason: "more digits"},
				{field: doubleField, json: `"NaN"`, reason: "finite"},
				{field: floatField, json: `"Infinity"`, reason: "finite"},
				{field: doubleField, json: `1e39`, reason: "more digits"},
			},
		},
		{
			ddl: "FLOAT UNSIGNED ZEROFILL", event: aFloating, fields: []*field{floatField, doubleField}, stored: "CAST(v AS DOUBLE)",
			cells: []cell{{sql: "0.5", event: "0.5"}, {sql: "1e10", event: "10000000000"}},
		},
		{
			ddl: "FLOAT(7,2)", event: aFloating, fields: []*field{floatField, doubleField}, stored: "CAST(v AS DOUBLE)",
			cells: []cell{{sql: "0.25", event: "0.25"}, {sql: "99999.99", event: "99999.99"}, {sql: "-0.01", event: "-0.01"}},
			given: []given{
				{field: floatField, json: `0.125`, reason: "at most 2 decimals"},
				{field: doubleField, json: `100000`, reason: "INVALID_ARGUMENT"},
			},
		},
		{
			ddl: "DOUBLE", event: aFloating, fields: []*field{doubleField}, stored: "v", about: "REAL and DOUBLE PRECISION are DOUBLE.",
			cells: []cell{
				{sql: "0", event: "0"},
				{sql: "ROUND(-0.4e0)", event: "-0", on: "mysql", about: "a negative zero, which MariaDB stores as 0"},
				{sql: "0.1", event: "0.1"},
				{sql: "0.30000000000000004", event: "0.30000000000000004"},
				{sql: "9007199254740993", event: "9007199254740992"},
				{sql: "1e21", event: "1e+21"},
				{sql: "1.7976931348623157e308", event: "1.7976931348623157e+308", about: "the greatest"},
				{sql: "-1.7976931348623157e308", event: "-1.7976931348623157e+308"},
				{sql: "2.2250738585072014e-308", event: "2.2250738585072014e-308", about: "the smallest that is normal"},
			},
			given: []given{
				{field: doubleField, json: `"-Infinity"`, reason: "finite"},
			},
		},
		{
			ddl: "DOUBLE(10,3)", event: aFloating, fields: []*field{doubleField}, stored: "v",
			cells: []cell{{sql: "1234567.891", event: "1234567.891"}, {sql: "-0.5", event: "-0.5"}},
			given: []given{
				{field: doubleField, json: `0.0005`, reason: "at most 3 decimals"},
			},
		},
	}
}
