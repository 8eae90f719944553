package alltypes

const (
	aDate     = "a string, `YYYY-MM-DD`"
	aWall     = "a string, `YYYY-MM-DD HH:MM:SS`, with the decimals of the column; no zone"
	anInstant = "a string, `YYYY-MM-DDTHH:MM:SSZ`, with the decimals of the column; UTC"
	zeroWall  = "0000-00-00 00:00:00"
)

// zoneName is the zone of the facade in the tests. Its clocks go from 2:00 to 3:00 on 2024-03-31, and from 3:00 to 2:00
// on 2024-10-27. unknownZone is what stands for it where the server doesn't know zones by name: the same in winter.
const (
	zoneName    = "Europe/Berlin"
	unknownZone = "+01:00"
)

func days() []column {
	noMoment := func(reason string) map[string]string { return by("Timestamp", reason) }
	return []column{
		{
			ddl: "DATE", event: aDate, fields: []*field{stringField, dateField},
			cells: []cell{
				{sql: "'0000-00-00'", event: `"0000-00-00"`, unread: by("Date", "NULLIF(col, '0000-00-00')"), about: "the zero date"},
				{sql: "'0000-01-01'", event: `"0000-01-01"`},
				{sql: "'1000-01-01'", event: `"1000-01-01"`},
				{sql: "'2024-02-29'", event: `"2024-02-29"`},
				{sql: "'9999-12-31'", event: `"9999-12-31"`},
				{sql: "'2024-05-00'", event: `"2024-05-00"`, about: "no day"},
				{sql: "'2024-00-00'", event: `"2024-00-00"`, about: "a year only"},
				{sql: "'0000-05-17'", event: `"0000-05-17"`, about: "no year"},
				{sql: "'2024-00-05'", event: `"2024-00-05"`, unread: by("Date", "no such form"), about: "no month"},
				{
					sql: "'2023-02-31'", event: `"2023-02-31"`, unread: by("Date", "no such day"), unwritten: by("string", "INVALID_ARGUMENT"),
					about: "no such day, which `ALLOW_INVALID_DATES` lets in",
				},
			},
			given: []given{
				{field: stringField, json: `"2023-02-29"`, reason: "INVALID_ARGUMENT"},
				{field: stringField, json: `"2024-1-2"`, reason: "YYYY-MM-DD"},
				{field: stringField, json: `"20240102"`, reason: "YYYY-MM-DD"},
				{field: dateField, json: `{"year":2023,"month":2,"day":29}`, reason: "date of the calendar"},
			},
		},
		{
			ddl: "DATETIME", event: aWall, fields: []*field{stringField, timestampField},
			cells: []cell{
				{sql: "'" + zeroWall + "'", event: `"0000-00-00 00:00:00"`, unread: noMoment("it is a zero date"), about: "the zero date"},
				{sql: "'1000-01-01 00:00:00'", event: `"1000-01-01 00:00:00"`},
				{sql: "'1969-12-31 23:59:59'", event: `"1969-12-31 23:59:59"`},
				{sql: "'2024-02-29 23:59:59'", event: `"2024-02-29 23:59:59"`},
				{sql: "'9999-12-31 23:59:59'", event: `"9999-12-31 23:59:59"`},
				{sql: "'2024-05-00 00:00:00'", event: `"2024-05-00 00:00:00"`, unread: noMoment("a part missing"), about: "no day"},
				{sql: "'0000-05-17 10:00:00'", event: `"0000-05-17 10:00:00"`, unread: noMoment("a part missing"), about: "no year"},
				{sql: "'2023-02-31 10:00:00'", event: `"2023-02-31 10:00:00"`, unread: noMoment("no such day"), unwritten: by("string", "INVALID_ARGUMENT"), about: "no such day"},
				{sql: "'2024-03-31 02:30:00'", event: `"2024-03-31 02:30:00"`, summer: true, unread: noMoment("the clocks of the zone skip it"), about: "the clocks of the zone skip it"},
				{sql: "'2024-10-27 02:30:00'", event: `"2024-10-27 02:30:00"`, summer: true, about: "the clocks show it twice: a Timestamp has the first"},
				{sql: "'2024-07-01 12:00:00'", event: `"2024-07-01 12:00:00"`, summer: true},
			},
			given: []given{
				{field: stringField, json: `"2024-01-01 00:00:00.5"`, reason: "whole second"},
				{field: stringField, json: `"2024-01-01"`, reason: "YYYY-MM-DD HH:MM:SS"},
				{field: timestampField, json: `"2024-01-01T00:00:00.5Z"`, reason: "whole second"},
				{field: timestampField, json: `"2024-10-27T01:30:00Z"`, reason: "a second time", summer: true},
			},
		},
		{
			ddl: "DATETIME(3)", event: aWall, fields: []*field{stringField, timestampField},
			cells: []cell{
				{sql: "'" + zeroWall + "'", event: `"0000-00-00 00:00:00.000"`, unread: noMoment("it is a zero date")},
				{sql: "'2024-01-01 00:00:00'", event: `"2024-01-01 00:00:00.000"`},
				{sql: "'2024-01-01 00:00:00.12'", event: `"2024-01-01 00:00:00.120"`},
			},
		},
		{
			ddl: "DATETIME(6)", event: aWall, fields: []*field{stringField, timestampField},
			cells: []cell{
				{sql: "'1969-12-31 23:59:59.000001'", event: `"1969-12-31 23:59:59.000001"`},
				{sql: "'2024-01-01 00:00:00.5'", event: `"2024-01-01 00:00:00.500000"`},
				{sql: "'9999-12-31 23:59:59.999999'", event: `"9999-12-31 23:59:59.999999"`},
				{sql: "'2024-10-27 02:30:00.000001'", event: `"2024-10-27 02:30:00.000001"`, summer: true},
			},
			given: []given{
				{field: timestampField, json: `"2024-01-01T00:00:00.0000001Z"`, reason: "at most 6 decimals"},
			},
		},
		{
			ddl: "TIMESTAMP", event: anInstant, fields: []*field{timestampField, stringField}, stored: "UNIX_TIMESTAMP(v)",
			about: "The zero value is no moment: it is `0000-00-00 00:00:00`, without T and Z.",
			cells: []cell{
				{sql: "'" + zeroWall + "'", event: `"0000-00-00 00:00:00"`, unread: noMoment("it is a zero date"), about: "the zero value"},
				{sql: "FROM_UNIXTIME(1)", event: `"1970-01-01T00:00:01Z"`, about: "the first"},
				{sql: "'2024-02-29 23:59:59'", event: `"2024-02-29T22:59:59Z"`},
				{sql: "FROM_UNIXTIME(2147483647)", event: `"2038-01-19T03:14:07Z"`, about: "the last"},
				{sql: "'2024-07-01 12:00:00'", event: `"2024-07-01T10:00:00Z"`, summer: true},
				{
					sql: "'2024-10-27 00:30:00'", utc: true, event: `"2024-10-27T00:30:00Z"`, summer: true, unread: by("Timestamp", "UNIX_TIMESTAMP(col)", "string", "UNIX_TIMESTAMP(col)"),
					about: "the clocks show it twice",
				},
				{
					sql: "'2024-10-27 01:30:00'", utc: true, event: `"2024-10-27T01:30:00Z"`, summer: true, unread: by("Timestamp", "UNIX_TIMESTAMP(col)", "string", "UNIX_TIMESTAMP(col)"),
					about: "the clocks show it twice",
				},
			},
			given: []given{
				{field: timestampField, json: `"1969-12-31T23:59:59Z"`, reason: "INVALID_ARGUMENT"},
				{field: timestampField, json: `"2150-01-01T00:00:00Z"`, reason: "INVALID_ARGUMENT"},
				{field: timestampField, json: `"2024-10-27T00:30:00Z"`, reason: "show twice", summer: true},
				{field: stringField, json: `"2024-10-27 02:30:00"`, reason: "show twice", summer: true},
				{field: stringField, json: `"2024-03-31 02:30:00"`, reason: "skip", summer: true},
			},
		},
		{
			ddl: "TIMESTAMP(3)", event: anInstant, fields: []*field{timestampField, stringField}, stored: "UNIX_TIMESTAMP(v)",
			cells: []cell{
				{sql: "'" + zeroWall + "'", event: `"0000-00-00 00:00:00.000"`, unread: noMoment("it is a zero date")},
				{sql: "'2024-01-01 00:00:00.12'", event: `"2023-12-31T23:00:00.120Z"`},
			},
		},
		{
			ddl: "TIMESTAMP(6)", event: anInstant, fields: []*field{timestampField, stringField}, stored: "UNIX_TIMESTAMP(v)",
			cells: []cell{
				{sql: "FROM_UNIXTIME(1.000001)", event: `"1970-01-01T00:00:01.000001Z"`},
				{sql: "FROM_UNIXTIME(2147483647.999999)", event: `"2038-01-19T03:14:07.999999Z"`},
				{sql: "'2024-01-01 00:00:00.5'", event: `"2023-12-31T23:00:00.500000Z"`},
			},
		},
	}
}

func clocks() []column {
	const aClock = "a string, `[-]HH:MM:SS`, with the decimals of the column"
	fields := []*field{stringField, durationField, timeOfDayField}
	late := by("TimeOfDay", "no time of a day")
	return []column{
		{
			ddl: "TIME", event: aClock, fields: fields, about: "Up to 838 hours to both sides.",
			cells: []cell{
				{sql: "'-838:59:59'", event: `"-838:59:59"`, unread: late},
				{sql: "'-00:00:01'", event: `"-00:00:01"`, unread: late},
				{sql: "'00:00:00'", event: `"00:00:00"`},
				{sql: "'23:59:59'", event: `"23:59:59"`},
				{sql: "'24:00:00'", event: `"24:00:00"`},
				{sql: "'100:00:01'", event: `"100:00:01"`, unread: late},
				{sql: "'838:59:59'", event: `"838:59:59"`, unread: late},
			},
			given: []given{
				{field: durationField, json: `"3020400s"`, reason: "838:59:59"},
				{field: durationField, json: `"0.5s"`, reason: "whole second"},
				{field: stringField, json: `"1:00:00"`, reason: "HH:MM:SS"},
				{field: stringField, json: `"-00:00:00"`, reason: "HH:MM:SS"},
				{field: timeOfDayField, json: `{"hours":25}`, reason: "23:59:59"},
			},
		},
		{
			ddl: "TIME(1)", event: aClock, fields: fields,
			cells: []cell{{sql: "'-00:00:00.5'", event: `"-00:00:00.5"`, unread: late}, {sql: "'-01:00:00'", event: `"-01:00:00.0"`, unread: late}, {sql: "'12:34:56.7'", event: `"12:34:56.7"`}},
		},
		{
			ddl: "TIME(3)", event: aClock, fields: fields,
			cells: []cell{{sql: "'-00:00:00.001'", event: `"-00:00:00.001"`, unread: late}, {sql: "'12:34:56.07'", event: `"12:34:56.070"`}},
		},
		{
			ddl: "TIME(6)", event: aClock, fields: fields,
			cells: []cell{
				{sql: "'-838:59:59'", event: `"-838:59:59.000000"`, unread: late},
				{sql: "'-838:59:58.999999'", event: `"-838:59:58.999999"`, unread: late},
				{sql: "'838:59:59.999999'", event: `"838:59:59.999999"`, unread: late, on: "mariadb"},
				{sql: "'-838:59:59.999999'", event: `"-838:59:59.999999"`, unread: late, on: "mariadb"},
				{sql: "'-00:00:00.000001'", event: `"-00:00:00.000001"`, unread: late},
				{sql: "'00:00:00.5'", event: `"00:00:00.500000"`},
				{sql: "'23:59:59.999999'", event: `"23:59:59.999999"`},
			},
			given: []given{
				{field: durationField, json: `"3020399.9999999s"`, reason: "at most 6 decimals"},
			},
		},
	}
}
