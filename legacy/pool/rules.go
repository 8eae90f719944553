package pool

import (
	"time"

	"google.golang.org/grpc/codes"
)

// rule is what a caller is told about an error number.
type rule struct {
	code    codes.Code
	reason  string
	message string
	retry   time.Duration
}

// ruleOf is the table of errors; docs/sql.md shows it. A number that is not in it is INTERNAL: the SQL or the schema is
// wrong, which no caller can mend.
func ruleOf(number uint16) rule {
	switch number {
	case 1022, 1062, 1169, 1586, 1761, 1762:
		return rule{codes.AlreadyExists, "ALREADY_EXISTS", "something with the same key exists already; choose another key, or read and change what is there", 0}

	case 1216, 1451:
		return rule{codes.FailedPrecondition, "STILL_REFERENCED", "other data still refers to this; remove or change that first", 0}
	case 1217, 1452:
		return rule{codes.FailedPrecondition, "REFERENCE_MISSING", "the request refers to something that does not exist; create it first, or refer to something else", 0}
	case 1644:
		return rule{codes.FailedPrecondition, "REFUSED_BY_LEGACY", "a rule of the legacy database refuses this change; read the current state and see whether the change still applies", 0}

	case 1048:
		return rule{codes.InvalidArgument, "VALUE_MISSING", "a value that is required was not given; give all required fields", 0}
	case 1264, 1690, 1365, 1441:
		return rule{codes.InvalidArgument, "VALUE_OUT_OF_RANGE", "a number or time in the request is out of range; give one within range", 0}
	case 1406, 1301, 1118:
		return rule{codes.InvalidArgument, "VALUE_TOO_LONG", "a value in the request is too long; give a shorter one", 0}
	case 1153:
		return rule{codes.InvalidArgument, "VALUE_TOO_LARGE", "the request's values are larger than the legacy database takes at once; send less", 0}
	// 1267, 1270, 1271: a mix of collations. Statements are checked at start, so it comes from a letter of the caller's
	// that a column's character set lacks.
	case 1265, 1267, 1270, 1271, 1292, 1300, 1366, 1367, 1411, 1416, 1525, 1977, 3140, 3141, 3854, 3903, 3988, 6136:
		return rule{codes.InvalidArgument, "VALUE_NOT_STORABLE", "a value in the request can't be stored as it is, such as a text that is no date or a character that the field can't hold; change it", 0}
	case 1139, 3685, 3686, 3687, 3688, 3689, 3690, 3691, 3692, 3693, 3694, 3695, 3696, 3697, 3698, 3699:
		return rule{codes.InvalidArgument, "PATTERN_INVALID", "a search pattern in the request is not valid; correct it", 0}
	case 3819, 4025:
		return rule{codes.InvalidArgument, "CHECK_FAILED", "a value in the request breaks a rule of the legacy database; change it", 0}

	case 1020, 1205, 1213, 1613, 1614, 3101, 3572:
		return rule{codes.Aborted, "CONFLICT", "other changes to the same data were in the way; nothing was changed, try again", retrySoon}
	case errUnknownStatement, errNeedReprepare, errTableChanged:
		return rule{codes.Aborted, "SCHEMA_CHANGED", "the legacy database's tables changed meanwhile; nothing was changed, try again", retrySoon}

	case 1317, 1028, 1969, 3024:
		return rule{codes.DeadlineExceeded, "STATEMENT_STOPPED", "the legacy database stopped a statement that took too long; ask for less or try again later", 0}

	case 1021, 1037, 1038, 1040, 1041, 1114, 1135, 1203, 1206, 1226, errTooManyStatements, 1637:
		return rule{codes.ResourceExhausted, "LEGACY_EXHAUSTED", "the legacy database has reached a limit of its own; try again later", retryLater}

	case errReadOnlyOption, errReadOnlyMode:
		return rule{codes.Unavailable, "LEGACY_READ_ONLY", "the legacy database takes no changes now; try again later", retryLater}
	case 1047, 1053, 1077, 1079, 1080, 1152, 1154, 1155, 1156, 1157, 1158, 1159, 1160, 1161, 1184, 1927, 2002, 2003, 2006, 2013, 4031:
		return rule{codes.Unavailable, "LEGACY_UNAVAILABLE", "the connection to the legacy database was lost; if this call was to change something, read it back before repeating it", retrySoon}

	case 1044, 1045, 1129, 1130, 1142, 1143, 1227, 1370, 1396, 1698, 1820, 1862, 3118, 3878, 4151:
		return rule{codes.Internal, "LEGACY_ACCESS_DENIED", "the legacy database denies this service something that it needs; its operators see what in the log", 0}
	}
	return rule{codes.Internal, "LEGACY_ERROR", "the legacy database could not do this; the log names the cause under the request id", 0}
}
