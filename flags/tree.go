package flags

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

const (
	// mostBytes bounds a definition: room for a list of customers, none for a database of them.
	mostBytes = 1 << 20
	// mostDepth bounds how deep a definition nests.
	mostDepth = 64
)

// kind is the JSON type of a value, as a bit, so that kinds can be put together.
type kind uint8

const (
	null kind = 1 << iota
	boolean
	number
	text
	list
	object
	// failed is no type: the value could not be had.
	failed

	anyKind = null | boolean | number | text | list | object
)

// tree is JSON as it is written: the order of members is kept, and a repeated one is seen.
type tree struct {
	kind  kind
	bool  bool
	num   float64
	text  string
	items []tree
	// names are those of an object's members; items has their values.
	names []string
}

// readTree reads one JSON value, and nothing behind it.
func readTree(data []byte) (tree, error) {
	switch {
	case len(data) > mostBytes:
		return tree{}, fmt.Errorf("the definition has %d bytes; at most %d are read", len(data), mostBytes)
	case !utf8.Valid(data):
		return tree{}, errors.New("the definition is not UTF-8")
	case len(bytes.TrimSpace(data)) == 0:
		return tree{}, errors.New("the definition is empty: it is a JSON object with state, variants, defaultVariant and targeting")
	}
	// The decoder of tokens is not as exact about syntax as that of whole values.
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return tree{}, fmt.Errorf("the definition is no JSON, at byte %d: %w", syntax.Offset, err)
		}
		return tree{}, fmt.Errorf("the definition is no JSON: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return readValue(d, "", 0)
}

func readValue(d *json.Decoder, path string, depth int) (tree, error) {
	if depth > mostDepth {
		return tree{}, at(path, "nests deeper than %d", mostDepth)
	}
	token, err := d.Token()
	if err != nil {
		return tree{}, at(path, "can't be read: %w", err)
	}
	switch v := token.(type) {
	case nil:
		return tree{kind: null}, nil
	case bool:
		return tree{kind: boolean, bool: v}, nil
	case string:
		return tree{kind: text, text: v}, nil
	case json.Number:
		n, err := v.Float64()
		if err != nil {
			return tree{}, at(path, "%s is beyond the numbers that JSON's readers agree on", v)
		}
		return tree{kind: number, num: n}, nil
	case json.Delim:
		if v == '[' {
			return readList(d, path, depth)
		}
		return readObject(d, path, depth)
	}
	return tree{}, at(path, "can't be read")
}

func readList(d *json.Decoder, path string, depth int) (tree, error) {
	t := tree{kind: list}
	for d.More() {
		item, err := readValue(d, index(path, len(t.items)), depth+1)
		if err != nil {
			return tree{}, err
		}
		t.items = append(t.items, item)
	}
	_, err := d.Token()
	return t, err
}

func readObject(d *json.Decoder, path string, depth int) (tree, error) {
	t := tree{kind: object}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return tree{}, at(path, "can't be read: %w", err)
		}
		name, _ := token.(string)
		if seen[name] {
			return tree{}, at(join(path, name), "is there twice")
		}
		seen[name] = true
		item, err := readValue(d, join(path, name), depth+1)
		if err != nil {
			return tree{}, err
		}
		t.names = append(t.names, name)
		t.items = append(t.items, item)
	}
	_, err := d.Token()
	return t, err
}

// member gives an object's member.
func (t tree) member(name string) (tree, bool) {
	for i, n := range t.names {
		if n == name {
			return t.items[i], true
		}
	}
	return tree{}, false
}

// plain gives the value as encoding/json reads it.
func (t tree) plain() any {
	switch t.kind {
	case boolean:
		return t.bool
	case number:
		return t.num
	case text:
		return t.text
	case list:
		items := make([]any, len(t.items))
		for i, item := range t.items {
			items[i] = item.plain()
		}
		return items
	case object:
		members := make(map[string]any, len(t.items))
		for i, name := range t.names {
			members[name] = t.items[i].plain()
		}
		return members
	default:
		return nil
	}
}

// String is for messages: the kind of a value in words.
func (k kind) String() string {
	switch k {
	case null:
		return "null"
	case boolean:
		return "a boolean"
	case number:
		return "a number"
	case text:
		return "a string"
	case list:
		return "a list"
	case object:
		return "an object"
	default:
		return "something else"
	}
}

// at makes an error about the place in a definition.
func at(path, format string, args ...any) error {
	if path == "" {
		path = "the definition"
	}
	return fmt.Errorf("%s: %w", path, fmt.Errorf(format, args...))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
