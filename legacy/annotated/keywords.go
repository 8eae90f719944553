package annotated

import "strings"

// isOperatorWord tells whether a word before another one takes it as an operand, so that the other is no alias.
func isOperatorWord(word string) bool {
	switch strings.ToUpper(word) {
	case "AND", "OR", "XOR", "NOT", "IS", "IN", "LIKE", "REGEXP", "RLIKE", "SOUNDS", "BETWEEN", "DIV", "MOD", "BINARY",
		"COLLATE", "INTERVAL", "CASE", "WHEN", "THEN", "ELSE", "OF", "ESCAPE", "OVER", "DISTINCT", "ALL", "ANY", "SOME",
		"EXISTS", "AS", "FOR", "BY", "NULLS":
		return true
	}
	return false
}

// isIntroducer tells whether a word before a string belongs to it: _utf8mb4'…', DATE '2020-01-01'.
func isIntroducer(word string) bool {
	switch strings.ToUpper(word) {
	case "DATE", "TIME", "TIMESTAMP":
		return true
	}
	return strings.HasPrefix(word, "_")
}

// isTableFollower tells whether a word behind a table's name is the start of something else than its alias.
func isTableFollower(word string) bool {
	switch strings.ToUpper(word) {
	case "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FETCH", "WINDOW", "PROCEDURE", "INTO", "FOR", "LOCK",
		"JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "OUTER", "NATURAL", "STRAIGHT_JOIN", "ON", "USING",
		"USE", "FORCE", "IGNORE", "PARTITION", "TABLESAMPLE",
		"UNION", "EXCEPT", "INTERSECT", "SET", "VALUES", "VALUE", "SELECT", "RETURNING", "AS", "AND", "OR", "WITH":
		return true
	}
	return false
}

// isReservedWord tells whether an unquoted word in an expression is something else than a column: a constant, or a
// function that needs no parentheses, or a keyword that must be quoted to be a name.
func isReservedWord(word string) bool {
	switch strings.ToUpper(word) {
	case "NULL", "TRUE", "FALSE", "DEFAULT", "END", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER",
		"CURRENT_ROLE", "LOCALTIME", "LOCALTIMESTAMP", "UTC_DATE", "UTC_TIME", "UTC_TIMESTAMP",
		"SYSDATE", "ROWNUM", "ASC", "DESC", "KEY", "KEYS", "INDEX", "TABLE", "DATABASE", "SCHEMA", "READ", "WRITE", "USAGE",
		"CONDITION", "CREATE", "DROP", "ALTER", "GRANT", "REVOKE", "RANGE", "RANK", "ROW", "ROWS", "SYSTEM", "OPTION",
		"CHECK", "COLUMN", "CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "REFERENCES", "TO", "TRIGGER", "LOAD", "LINES",
		"DESCRIBE", "EXPLAIN", "RELEASE", "RENAME", "REPEAT", "RESTRICT", "RETURN", "SHOW", "SIGNAL", "SQL", "UNDO",
		"UNLOCK", "UNSIGNED", "WHILE", "GROUPS", "CHANGE", "CHAR", "CHARACTER", "CONVERT", "IF", "LEFT", "RIGHT",
		"VARCHAR", "INT", "INTEGER", "DECIMAL", "NUMERIC", "FLOAT", "DOUBLE", "REAL", "BLOB", "MATCH", "INSERT", "REPLACE",
		"UPDATE", "DELETE", "CALL", "WITH", "LATERAL", "RECURSIVE", "FIRST_VALUE", "LAST_VALUE", "LEAD", "LAG":
		return true
	}
	return isOperatorWord(word) || isTableFollower(word) && !strings.EqualFold(word, "OFFSET")
}
