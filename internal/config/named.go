package config

import (
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml/ast"
)

// named fills a map from a mapping whose keys the team has chosen: sections or texts by name.
func (d *decoder) named(n ast.Node, k key) {
	values, ok := d.mapping(n)
	if !ok {
		d.faults.Add(d.at(n.GetToken()), orPlain(n, "write a name and a colon, and what belongs to it behind or below"), "%s should hold names with values", k.path)
		return
	}
	out := reflect.MakeMap(k.field.Type())
	for _, entry := range values {
		pos := d.at(entry.Key.GetToken())
		var name Name
		if _, plain := entry.Key.(*ast.StringNode); !plain {
			d.faults.Add(pos, "write the name out as a plain word", "this kind of YAML key is not read here")
			continue
		}
		text := entry.Key.GetToken().Value
		path := join(k.path, text)
		if first, twice := d.positions[path]; twice {
			d.faults.Add(pos, fmt.Sprintf("keep one; the first is in line %d", first.Line), "%s is given twice", path)
			continue
		}
		d.positions[path] = pos
		if err := name.UnmarshalText([]byte(text)); err != nil {
			d.faults.Add(pos, err.Error(), "%s has a name that can't be used", path)
			continue
		}
		v := reflect.New(k.field.Type().Elem()).Elem()
		if v.Kind() == reflect.Struct {
			d.defaults(v)
			d.section(entry.Value, pos, v, path)
		} else if !d.scalar(entry.Value, path, v) {
			continue
		}
		out.SetMapIndex(reflect.ValueOf(text), v)
	}
	k.field.Set(out)
}
