package config

import (
	"encoding"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"banyan.dev/banyan/internal/fault"
)

// decoder walks the YAML tree along the Config structs. It exists beside go-yaml's own decoder because that stops at
// the first fault, and because references to the environment are resolved a scalar at a time, after parsing, so that
// no variable can change the file's structure.
type decoder struct {
	file      string
	source    []byte
	lookup    Lookup
	faults    *fault.List
	positions map[string]fault.Pos
	values    map[string]valuePos
	most      int // bytes of the file; 0: maxFile
}

// key is one key of a section, with the struct field that it fills.
type key struct {
	name     string // last part
	path     string // dotted, from the top
	field    reflect.Value
	fallback string // default as text; "" for none
	required bool
	isPath   bool
	proto    bool // the names of a map are those of a contract
}

// keys lists the keys of a section.
func keys(section reflect.Value, path string) []key {
	var out []key
	for i := range section.NumField() {
		sf := section.Type().Field(i)
		name := sf.Tag.Get("yaml")
		if name == "" {
			continue
		}
		out = append(out, key{
			name: name, path: join(path, name), field: section.Field(i), fallback: sf.Tag.Get("default"),
			required: sf.Tag.Get("required") == "true", isPath: sf.Tag.Get("path") == "true", proto: sf.Tag.Get("names") == "proto",
		})
	}
	return out
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

// section tells whether the key holds keys of its own.
func (k key) section() bool {
	_, scalar := k.field.Addr().Interface().(encoding.TextUnmarshaler)
	return k.field.Kind() == reflect.Struct && !scalar
}

// defaults fills a section with its defaults, which are in the form that a person would write.
func (d *decoder) defaults(section reflect.Value) {
	for _, k := range keys(section, "") {
		switch {
		case k.section():
			d.defaults(k.field)
		case k.fallback != "":
			if err := set(k.field, k.fallback); err != nil {
				d.faults.Add(fault.Pos{File: d.file}, "", "the default of %s: %v", k.name, err)
			}
		}
	}
}

func (d *decoder) decode(body ast.Node, cfg *Config) {
	d.section(body, fault.Pos{File: d.file, Line: 1, Col: 1}, reflect.ValueOf(cfg).Elem(), "")
}

// section fills a struct from a mapping. at is where the section's own key stands.
func (d *decoder) section(n ast.Node, at fault.Pos, v reflect.Value, path string) {
	known := keys(v, path)
	seen := map[string]fault.Pos{}
	values, ok := d.mapping(n)
	if !ok {
		d.faults.Add(d.at(n.GetToken()), orPlain(n, "write its keys below it, indented"), "%s should hold keys with values", orFile(path))
		return
	}
	for _, entry := range values {
		pos := d.at(entry.Key.GetToken())
		if _, plain := entry.Key.(*ast.StringNode); !plain {
			d.faults.Add(pos, "write the key out as a plain word", "this kind of YAML key is not read here")
			continue
		}
		name := entry.Key.GetToken().Value
		if first, twice := seen[name]; twice {
			d.faults.Add(pos, fmt.Sprintf("keep one; the first is in line %d", first.Line), "%s is given twice", join(path, name))
			continue
		}
		seen[name] = pos
		k, ok := find(known, name)
		if !ok {
			d.unknown(pos, name, known, path)
			continue
		}
		d.positions[k.path] = pos
		switch {
		case k.section():
			d.section(entry.Value, pos, k.field, k.path)
		case k.field.Kind() == reflect.Map:
			d.named(entry.Value, k)
		default:
			d.value(entry.Value, k)
		}
	}
	for _, k := range known {
		if _, given := seen[k.name]; given {
			continue
		}
		if k.section() {
			d.section(nil, at, k.field, k.path)
		} else if k.required {
			d.faults.Add(at, "add it; docs/config.md says what it holds", "%s is missing", k.path)
		}
	}
}

func find(known []key, name string) (key, bool) {
	for _, k := range known {
		if k.name == name {
			return k, true
		}
	}
	return key{}, false
}

// mapping gives a mapping's entries; none for a section that was left empty.
func (d *decoder) mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil, true
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func (d *decoder) unknown(pos fault.Pos, name string, known []key, path string) {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	fix := "known here: " + strings.Join(names, ", ")
	if near := fault.Nearest(name, names); near != "" {
		fix = "did you mean " + near + "?"
	} else if elsewhere := placeOf(name, reflect.ValueOf(&Config{}).Elem(), ""); elsewhere != "" {
		fix = "did you mean " + elsewhere + "?"
	}
	d.faults.Add(pos, fix, "unknown key %q in %s", name, orFile(path))
}

// placeOf finds a key of that name in any section.
func placeOf(name string, section reflect.Value, path string) string {
	for _, k := range keys(section, path) {
		if k.name == name {
			return k.path
		}
		if k.section() {
			if p := placeOf(name, k.field, k.path); p != "" {
				return p
			}
		}
	}
	return ""
}

// orPlain gives the fix for YAML that is more than this file needs, else fix.
func orPlain(n ast.Node, fix string) string {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return "anchors, aliases and tags are not read here; write the value out"
	}
	return fix
}

func orFile(path string) string {
	if path == "" {
		return "the config"
	}
	return path
}

// value fills one key that is no section.
func (d *decoder) value(n ast.Node, k key) {
	if k.field.Kind() != reflect.Slice {
		if d.scalar(n, k.path, k.field) {
			d.resolve(k.field, k.isPath)
		}
		return
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		if _, null := n.(*ast.NullNode); !null || k.required {
			d.faults.Add(d.at(n.GetToken()), orPlain(n, "write a list: […, …], or a line for each that starts with -"), "%s is a list", k.path)
		}
		return
	}
	out := reflect.MakeSlice(k.field.Type(), 0, len(seq.Values))
	for i, item := range seq.Values {
		path := Indexed(k.path, i)
		v := reflect.New(k.field.Type().Elem()).Elem()
		// A wrong item is left out, so the position goes by the place in the result.
		if d.scalar(item, path, v) {
			d.resolve(v, k.isPath)
			d.positions[Indexed(k.path, out.Len())] = d.at(item.GetToken())
			out = reflect.Append(out, v)
		}
	}
	if k.required && len(seq.Values) == 0 {
		d.faults.Add(d.at(seq.GetToken()), "name at least one", "%s is empty", k.path)
	}
	k.field.Set(out)
}

// resolve makes a relative path relative to the file.
func (d *decoder) resolve(v reflect.Value, isPath bool) {
	if isPath && !filepath.IsAbs(v.String()) {
		v.SetString(filepath.Join(filepath.Dir(d.file), v.String()))
	}
}

// scalar fills v, and tells whether it could.
func (d *decoder) scalar(n ast.Node, path string, v reflect.Value) bool {
	pos := d.at(n.GetToken())
	text, plain, ok := scalarText(n)
	if !ok {
		if _, null := n.(*ast.NullNode); null {
			d.faults.Add(pos, "give it one, or delete the line to get the default", "%s has no value", path)
		} else {
			d.faults.Add(pos, orPlain(n, "write one value"), "%s is a single value", path)
		}
		return false
	}
	text, fromEnv, err := expand(text, d.lookup)
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			fix := "write ${NAME}, ${NAME:-default}, or $${ for a literal ${"
			if strings.HasPrefix(line, unsetVariable) {
				fix = "set it, or give it a default: ${NAME:-default}"
			}
			d.faults.Add(pos, fix, "%s: %s", path, strings.TrimSuffix(line, "\n"))
		}
		return false
	}
	if kind := v.Kind(); !fromEnv && !plain && (kind == reflect.Int || kind == reflect.Bool) {
		d.faults.Add(pos, "write it without quotes", "%s is text, but should be %s", path, kindName(v))
		return false
	}
	if isText(v) && !fromEnv && !textual(n) {
		d.faults.Add(pos, "put it in quotes", "%s should be text, but YAML reads it as something else", path)
		return false
	}
	if err := set(v, text); err != nil {
		d.faults.Add(pos, err.Error(), "%s is not %s", path, kindName(v))
		return false
	}
	d.values[path] = d.textAt(n, pos, text)
	return true
}

// scalarText gives a scalar as it is written, and whether it stands without quotes.
func scalarText(n ast.Node) (text string, plain, ok bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, n.Token.Type == token.StringType, true
	case *ast.LiteralNode:
		return n.Value.Value, false, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true, true
	}
	return "", false, false
}

// textual tells whether YAML reads a scalar as a string.
func textual(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return true
	}
	return false
}

// isText tells whether a field takes any text: one where a number could be meant as text or by mistake.
func isText(v reflect.Value) bool {
	return v.Type() == reflect.TypeFor[string]() || v.Type() == reflect.TypeFor[Secret]()
}

// set parses text into a field. Its errors say what would be right and never repeat text.
func set(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case encoding.TextUnmarshaler:
		return p.UnmarshalText([]byte(text))
	case *time.Duration:
		dur, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("write a number with its unit, such as 500ms, 10s, 5m")
		}
		*p = dur
	case *int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("write digits only, at most 2147483647")
		}
		*p = int(n)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("write true or false")
		}
		*p = text == "true"
	case *string:
		if text == "" {
			return fmt.Errorf("it must not be empty")
		}
		*p = text
	}
	return nil
}

// kindName says what a field holds, for faults and for docs/config.md.
func kindName(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *time.Duration:
		return "a duration"
	case *int:
		return "an integer"
	case *bool:
		return "a boolean"
	case *Size:
		return "a size"
	case *Zone:
		return "a time zone"
	case *Address:
		return "an address"
	case *Level:
		return "a log level"
	case *Format:
		return "a log format"
	case *EventFormat:
		return "json or protobuf"
	case *HistoryProtocol:
		return "amqp or stream"
	case *Compression:
		return "a compression"
	case *KeySource:
		return "a file or URL"
	case *AfterSunset:
		return "serve or refuse"
	case *CertificateName:
		return "a name of a certificate"
	case *Secret:
		return "a secret"
	case *Name:
		return "a name"
	case *Instant:
		return "a date"
	case *[]string:
		return "a list of texts"
	case *[]Secret:
		return "a list of secrets"
	case *map[string]string:
		return "texts by name"
	}
	return "a text"
}

// Indexed is the key of a list's item, for Pos: sql[0].
func Indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
