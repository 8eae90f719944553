package config

import (
	"errors"
	"maps"
	"os"
	"reflect"
	"slices"

	"banyan.dev/banyan/internal/fault"
)

// maxTranslation bounds the size of a version's own file in bytes.
const maxTranslation = 512 << 10

// Version says how an older version of the contract is a translation of a newer one.
type Version struct {
	// Of is the proto package that it is a translation of.
	Of string `yaml:"of" required:"true"`
	// File has the keys below, in a file of its own; then none of them stands here.
	File string `yaml:"file" path:"true"`
	// Untranslated are operations that have SQL of their own, although the newer version has one of the same name.
	Untranslated []string `yaml:"untranslated"`
	// Operations are those that are translations of one with another name.
	Operations map[string]VersionOperation `yaml:"operations" names:"proto"`
	// Messages say how a message is made of another, by "TARGET from SOURCE".
	Messages map[string]VersionMessage `yaml:"messages" names:"proto"`
	// Enums have a target value for each source value, by "TARGET from SOURCE".
	Enums map[string]VersionEnum `yaml:"enums" names:"proto"`
}

// translation are the keys of a version's own file.
type translation struct {
	Untranslated []string                    `yaml:"untranslated"`
	Operations   map[string]VersionOperation `yaml:"operations" names:"proto"`
	Messages     map[string]VersionMessage   `yaml:"messages" names:"proto"`
	Enums        map[string]VersionEnum      `yaml:"enums" names:"proto"`
}

// VersionOperation is an older operation.
type VersionOperation struct {
	// To is the newer operation that answers it.
	To string `yaml:"to" required:"true"`
}

// VersionMessage is how a target message is made of a source message.
type VersionMessage struct {
	// Fields are paths of the source or CEL expressions over it, by the target's path.
	Fields map[string]string `yaml:"fields" names:"proto"`
	// Unset are paths of the target that stay unset.
	Unset []string `yaml:"unset"`
	// Ignored are paths of a request's source that nothing is made of.
	Ignored []string `yaml:"ignored"`
}

// VersionEnum is how a target enum is made of a source enum.
type VersionEnum struct {
	// Values are names of the target's values, by those of the source.
	Values map[string]string `yaml:"values" names:"proto" required:"true"`
}

// VersionNames gives the packages of versions that are translations, in order.
func (c *Config) VersionNames() []string { return slices.Sorted(maps.Keys(c.Versions)) }

// readVersions reads the files that versions name.
func (c *Config) readVersions(lookup Lookup, faults *fault.List) {
	for _, name := range c.VersionNames() {
		path, v := "versions."+name, c.Versions[name]
		if v.File == "" {
			continue
		}
		if len(v.Untranslated)+len(v.Operations)+len(v.Messages)+len(v.Enums) > 0 {
			faults.Add(c.Pos(path+".file"), "move all of it into one of the two", "%s has a file, and keys that belong there", path)
			continue
		}
		data, err := os.ReadFile(v.File)
		if err != nil {
			faults.Add(c.Pos(path+".file"), "paths are relative to the config file", "can't read %s: %v", v.File, errors.Unwrap(err))
			continue
		}
		own := &decoder{file: v.File, source: data, lookup: lookup, faults: faults, positions: c.positions, values: c.values, most: maxTranslation}
		var read translation
		if body, ok := own.parse(data); ok {
			own.section(body, fault.Pos{File: v.File, Line: 1, Col: 1}, reflect.ValueOf(&read).Elem(), path)
		}
		v.Untranslated, v.Operations, v.Messages, v.Enums = read.Untranslated, read.Operations, read.Messages, read.Enums
		c.Versions[name] = v
	}
}
