package replica

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// column is one of the rebuilt table.
type column struct {
	name string
	// kind is information_schema's DATA_TYPE.
	kind string
	// text says that it has a charset.
	text      bool
	generated bool
}

func (c *column) number() bool {
	switch c.kind {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "bit", "year", "decimal", "float", "double":
		return true
	default:
		return false
	}
}

func (c *column) inexact() bool { return c.kind == "float" || c.kind == "double" }

func (c *column) temporal() bool {
	switch c.kind {
	case "date", "datetime", "time", "timestamp":
		return true
	default:
		return false
	}
}

// appendLiteral appends a value of an event as SQL. Text and bytes are in hexadecimal, so that no mode and no charset
// reads them another way.
func (c *column) appendLiteral(dst []byte, raw json.RawMessage) ([]byte, error) {
	switch {
	case len(raw) == 0:
		return nil, fmt.Errorf("column %s has no value", c.name)
	case string(raw) == "null":
		return append(dst, "NULL"...), nil
	case c.kind == "json":
		return appendText(dst, raw), nil
	case raw[0] == '{' && bytes.HasPrefix(raw, []byte(`{"$bytes":`)):
		var garbled struct {
			Bytes []byte `json:"$bytes"`
		}
		if err := json.Unmarshal(raw, &garbled); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		return appendHex(dst, garbled.Bytes), nil
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return c.appendText(dst, text)
}

func (c *column) appendText(dst []byte, text string) ([]byte, error) {
	switch {
	case c.number():
		if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
			return nil, fmt.Errorf("column %s is a %s, and has the value %q", c.name, c.kind, text)
		}
		return append(dst, text...), nil
	case c.temporal():
		if c.kind == "timestamp" {
			text = strings.TrimSuffix(strings.Replace(text, "T", " ", 1), "Z")
		}
		if strings.Trim(text, "0123456789-:. ") != "" {
			return nil, fmt.Errorf("column %s is a %s, and has the value %q", c.name, c.kind, text)
		}
		return append(append(append(dst, '\''), text...), '\''), nil
	case c.text:
		return appendText(dst, []byte(text)), nil
	case strings.Contains(c.kind, "inet") || c.kind == "uuid":
		return appendText(dst, []byte(text)), nil
	default:
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("column %s is a %s: %w", c.name, c.kind, err)
		}
		return appendHex(dst, raw), nil
	}
}

// appendStored appends a value that the database has given as text.
func (c *column) appendStored(dst, stored []byte) ([]byte, error) {
	switch {
	case stored == nil:
		return append(dst, "NULL"...), nil
	case c.number(), c.temporal(), c.text:
		return c.appendText(dst, string(stored))
	default:
		return appendHex(dst, stored), nil
	}
}

func appendText(dst, text []byte) []byte { return appendHex(append(dst, "_utf8mb4 "...), text) }

func appendHex(dst, raw []byte) []byte {
	dst = append(dst, "x'"...)
	dst = hex.AppendEncode(dst, raw)
	return append(dst, '\'')
}

// appendEqual appends a condition that only rows with this very value meet, whatever the column's collation holds equal.
func (c *column) appendEqual(dst, literal []byte, collation string) []byte {
	if c.text {
		dst = append(dst, "CONVERT("...)
		dst = appendName(dst, c.name)
		dst = append(dst, " USING utf8mb4) COLLATE "+collation...)
	} else {
		dst = appendName(dst, c.name)
	}
	return append(append(dst, " <=> "...), literal...)
}

func appendName(dst []byte, name string) []byte {
	dst = append(dst, '`')
	dst = append(dst, strings.ReplaceAll(name, "`", "``")...)
	return append(dst, '`')
}

func quoteName(name string) string { return string(appendName(nil, name)) }
