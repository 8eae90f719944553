package value

import "google.golang.org/protobuf/reflect/protoreflect"

// The functions below say what to write where a column does not go into a field: one for each shape of field, by the
// class of the column. docs/conversions.md has the same texts as a table.

func insteadForBool(cl class) string {
	switch cl {
	case classText, classEnum:
		return "compare in SQL: col = 'Y'"
	case classSet:
		return "ask in SQL: FIND_IN_SET('member', col) > 0"
	case classDateTime, classTimestamp, classDate, classTime:
		return "ask in SQL: col IS NOT NULL, or col <> 0 where zero dates mean never"
	case classJSON:
		return "compare in SQL: JSON_CONTAINS(col, 'true', '$.path')"
	}
	return "compare in SQL: col <> 0"
}

func insteadForInt(cl class) string {
	switch cl {
	case classFloat, classDouble:
		return "say how it is rounded: CAST(ROUND(col) AS SIGNED)"
	case classDateTime, classTimestamp:
		return "use google.protobuf.Timestamp, or UNIX_TIMESTAMP(col) for epoch seconds"
	case classDate:
		return "use google.type.Date, or CAST(DATE_FORMAT(col, '%Y%m%d') AS SIGNED)"
	case classTime:
		return "use google.protobuf.Duration, or TIME_TO_SEC(col)"
	case classEnum:
		return "use an enum or string field, or CAST(col AS SIGNED) for the index"
	case classSet:
		return "use a repeated string field, or CAST(col AS UNSIGNED) for the bits"
	case classBinary:
		return "use a bytes field, or CAST(CONV(HEX(col), 16, 10) AS UNSIGNED)"
	case classJSON:
		return "take the number out: CAST(JSON_EXTRACT(col, '$.path') AS SIGNED)"
	case classText:
		return "say that it is a number: CAST(col AS SIGNED)"
	}
	return "use a bytes field"
}

func insteadForFloat(cl class, fd protoreflect.FieldDescriptor) string {
	to := "DOUBLE"
	if fd.Kind() == protoreflect.FloatKind {
		to = "FLOAT"
	}
	switch cl {
	case classDecimal:
		return "a DECIMAL loses digits there: use string or google.type.Decimal, or CAST(col AS " + to + ") where that is meant"
	case classDouble:
		return "a DOUBLE loses digits there: use a double field, or CAST(col AS FLOAT) where that is meant"
	case classInt:
		return "use an integer field, or CAST(col AS " + to + ")"
	case classText:
		return "say that it is a number: CAST(col AS " + to + ")"
	case classJSON:
		return "take the number out: CAST(JSON_EXTRACT(col, '$.path') AS " + to + ")"
	case classDateTime, classTimestamp, classDate:
		return "use google.protobuf.Timestamp or google.type.Date, or CAST(UNIX_TIMESTAMP(col) AS " + to + ")"
	case classTime:
		return "use google.protobuf.Duration, or CAST(TIME_TO_SEC(col) AS " + to + ")"
	case classBit, classYear, classEnum, classSet:
		return "say that a number is meant: CAST(col + 0 AS " + to + ")"
	}
	return "use a bytes field"
}

func insteadForString(cl class) string {
	switch cl {
	case classBinary:
		return "use a bytes field, CONVERT(col USING utf8mb4) where the bytes are text, or HEX(col)"
	case classBit:
		return "use a uint64 or bytes field, or CAST(col + 0 AS CHAR)"
	case classGeometry:
		return "use a bytes field, or ST_AsText(col)"
	case classVector:
		return "use a bytes field, or VECTOR_TO_STRING(col)"
	}
	return "say how it is written: CAST(col AS CHAR)"
}

func insteadForEnum(cl class) string {
	switch cl {
	case classDecimal, classFloat, classDouble:
		return "say that it is an integer: CAST(col AS SIGNED)"
	case classBit, classYear:
		return "say that it is a number: col + 0"
	case classSet:
		return "use a repeated enum field"
	case classJSON:
		return "take the text out: JSON_UNQUOTE(JSON_EXTRACT(col, '$.path'))"
	case classBinary:
		return "say that it is text: CONVERT(col USING utf8mb4)"
	}
	return "choose in SQL: CASE WHEN … THEN 'NAME' END"
}

func insteadForTimestamp(cl class) string {
	switch cl {
	case classDate:
		return "use google.type.Date, or CAST(col AS DATETIME) for midnight"
	case classTime:
		return "use google.protobuf.Duration or google.type.TimeOfDay, or TIMESTAMP(date_col, col)"
	case classText:
		return "say what the text is: STR_TO_DATE(col, '%Y-%m-%d %H:%i:%s'), or CAST(col AS SIGNED) for epoch seconds"
	case classFloat, classDouble:
		return "say how many digits count: CAST(col AS DECIMAL(20,6))"
	case classYear:
		return "use an int32 field"
	case classJSON:
		return "take the text out: CAST(JSON_UNQUOTE(JSON_EXTRACT(col, '$.path')) AS DATETIME(6))"
	}
	return "give a DATETIME, a TIMESTAMP or epoch seconds"
}

func insteadForDuration(cl class) string {
	switch cl {
	case classInt, classDecimal, classFloat, classDouble:
		return "say that it is seconds: SEC_TO_TIME(col)"
	case classDateTime, classTimestamp:
		return "use google.protobuf.Timestamp, or TIMEDIFF(col, other_col)"
	case classText:
		return "say that it is a time: CAST(col AS TIME(6))"
	}
	return "give a TIME: SEC_TO_TIME(seconds)"
}

func insteadForDate(cl class) string {
	switch cl {
	case classDateTime, classTimestamp:
		return "use google.protobuf.Timestamp, or DATE(col)"
	case classText:
		return "say that it is a date: STR_TO_DATE(col, '%Y-%m-%d')"
	case classYear:
		return "use an int32 field, or alias the column AS \"field.year\""
	case classInt:
		return "say what the number is: FROM_UNIXTIME(col), then DATE(…), or STR_TO_DATE(col, '%Y%m%d')"
	}
	return "give a DATE: CAST(col AS DATE)"
}

func insteadForTimeOfDay(cl class) string {
	switch cl {
	case classDateTime, classTimestamp:
		return "use google.protobuf.Timestamp, or TIME(col)"
	case classInt, classDecimal:
		return "say that it is seconds: SEC_TO_TIME(col)"
	}
	return "give a TIME: CAST(col AS TIME(6))"
}

func insteadForMoney(cl class) string {
	switch cl {
	case classInt:
		return "say what the number counts: col / 100 for cents, CAST(col AS DECIMAL(20,0)) for whole units"
	case classFloat, classDouble, classText:
		return "say how many digits count: CAST(col AS DECIMAL(18,4))"
	}
	return "give a DECIMAL amount, and the currency as another column AS \"field.currency_code\""
}

func insteadForDecimal(cl class) string {
	switch cl {
	case classFloat, classDouble, classText:
		return "say how many digits count: CAST(col AS DECIMAL(18,4))"
	case classBit, classYear:
		return "say that it is a number: col + 0"
	}
	return "give a DECIMAL or an integer"
}
