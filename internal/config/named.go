package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"

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
		if err := nameFor(k).UnmarshalText([]byte(text)); err != nil {
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

// nameFor gives what reads the names of a map.
func nameFor(k key) encoding.TextUnmarshaler {
	if k.proto {
		return new(protoNames)
	}
	return new(Name)
}

// protoNames are names of a contract: a path, or two of them ("shop.v1.Order from shop.v2.Order").
type protoNames string

// UnmarshalText reads them.
func (p *protoNames) UnmarshalText(text []byte) error {
	for part := range strings.SplitSeq(string(text), " from ") {
		ok := part != "" && len(part) <= 512
		for _, c := range []byte(part) {
			ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_')
		}
		if !ok {
			return errors.New("write it as the contract does: letters, digits, underscores, and dots between")
		}
	}
	*p = protoNames(text)
	return nil
}
