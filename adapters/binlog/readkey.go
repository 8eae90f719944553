package binlog

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ordered says whether the server compares values of the column in the order of an index that has them.
func (c *readColumn) ordered() bool {
	switch c.dataType {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "float", "double", "decimal", "bit", "year", "date", "time", "datetime", "timestamp",
		"char", "varchar", "binary", "varbinary", "uuid", "inet4", "inet6":
		return true
	case "enum":
		return true
	}
	return false
}

// keyNumber says that the column's place in the index is that of its number: an ENUM's labels are not in their own order.
func (c *readColumn) keyNumber() bool { return c.dataType == "enum" }

// labelsOf reads the labels of an ENUM from its type: enum('a','b”c'). There are none where the type may not tell them as they are:
// servers write some characters with a backslash there, and a ? for those that have more than three bytes in UTF-8.
func labelsOf(columnType string) (labels []string) {
	begin, end := strings.IndexByte(columnType, '('), strings.LastIndexByte(columnType, ')')
	if begin < 0 || end < begin || strings.ContainsAny(columnType, `\?`) {
		return nil
	}
	for rest := columnType[begin+1 : end]; strings.HasPrefix(rest, "'"); rest = strings.TrimPrefix(rest, ",") {
		rest = rest[1:]
		var label strings.Builder
		for {
			i := strings.IndexByte(rest, '\'')
			if i < 0 {
				return nil
			}
			label.WriteString(rest[:i])
			rest = rest[i+1:]
			if !strings.HasPrefix(rest, "'") {
				break
			}
			label.WriteByte('\'')
			rest = rest[1:]
		}
		labels = append(labels, label.String())
	}
	return labels
}

// compare writes a comparison with a value that keep has given, which is one for literal.
func (c *readColumn) compare(sign, kept string) string {
	if c.keyNumber() {
		return c.compareLabels(sign, kept)
	}
	literal, err := c.literal(kept)
	if err != nil {
		return "FALSE" // it was looked at before
	}
	return quote(c.name) + " " + sign + " " + literal
}

// compareLabels names the labels: comparisons of an ENUM's number have no range of an index. Number 0 is what no label is.
func (c *readColumn) compareLabels(sign, kept string) string {
	n, err := strconv.Atoi(kept)
	if err != nil || n < 0 || c.labels != nil && n > len(c.labels) {
		return "FALSE"
	}
	if c.labels == nil {
		return quote(c.name) + " + 0 " + sign + " " + strconv.Itoa(n)
	}
	none := quote(c.name) + " = 0"
	var labels []string
	switch {
	case sign == ">":
		labels = c.labels[n:]
	case sign == "=" && n == 0:
		return none
	case sign == "=":
		labels = c.labels[n-1 : n]
	case n > 0:
		labels = c.labels[:n-1]
	}
	var b strings.Builder
	for i, label := range labels {
		b.WriteString(map[bool]string{true: quote(c.name) + " IN (", false: ", "}[i == 0] + "_utf8mb4 X'" + hex.EncodeToString([]byte(label)) + "'")
	}
	switch {
	case len(labels) > 0 && sign == "<":
		return "(" + b.String() + ") OR " + none + ")"
	case len(labels) > 0:
		return b.String() + ")"
	case sign == "<" && n > 0:
		return none
	}
	return "FALSE"
}

// keep gives a value of a key as text, from which literal makes the same value again.
func (c *readColumn) keep(raw any) (string, error) {
	if c.keyNumber() {
		return numberText(raw)
	}
	switch v := raw.(type) {
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float32:
		return strconv.FormatFloat(float64(v), 'e', 17, 64), nil
	case float64:
		return strconv.FormatFloat(v, 'e', 17, 64), nil
	case []byte:
		switch c.dataType {
		case "char", "varchar", "binary", "varbinary":
			return hex.EncodeToString(v), nil
		case "bit":
			from := cursor{rest: v}
			return strconv.FormatUint(from.big(len(v)), 10), from.err()
		}
		return string(v), nil
	}
	return "", errDriver
}

var errLiteral = errors.New("it is no value of this column")

// literal writes what keep has given as SQL. Nothing of the text becomes SQL but digits and the signs of numbers, times and
// addresses.
func (c *readColumn) literal(kept string) (string, error) {
	only := func(signs string) bool {
		return kept != "" && len(kept) < 100 && strings.Trim(kept, "0123456789"+signs) == ""
	}
	switch c.dataType {
	case "char", "varchar":
		if _, err := hex.DecodeString(kept); err != nil || c.text == nil {
			return "", errLiteral
		}
		return fmt.Sprintf("_%s X'%s' COLLATE %s", c.text.name, kept, c.collation), nil
	case "binary", "varbinary":
		if _, err := hex.DecodeString(kept); err != nil {
			return "", errLiteral
		}
		return "X'" + kept + "'", nil
	case "date", "time", "datetime", "timestamp":
		if !only("-:. ") {
			return "", errLiteral
		}
		return "'" + kept + "'", nil
	case "uuid", "inet4", "inet6":
		if !only("abcdefABCDEF-:.") {
			return "", errLiteral
		}
		return "'" + kept + "'", nil
	case "float", "double":
		if f, err := strconv.ParseFloat(kept, 64); err != nil || math.IsInf(f, 0) || math.IsNaN(f) || !only("+-.e") {
			return "", errLiteral
		}
		return kept, nil
	default:
		if !only("-.") || strings.Contains(kept, "--") { // which begins a comment
			return "", errLiteral
		}
		return kept, nil
	}
}
