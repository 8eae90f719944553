package config

import (
	"errors"
	"maps"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"banyan.dev/banyan/internal/fault"
)

// maxTranslation bounds the size of a version's own file in bytes.
const maxTranslation = 512 << 10

// Version says of a version of the contract what it is a translation of, and that it will go.
type Version struct {
	// Of is the proto package that it is a translation of; "" when it is none.
	Of string `yaml:"of"`
	// Callers are told since when it is deprecated, from when on it may be gone, and the address of a page that says what
	// to do.
	Deprecated Instant `yaml:"deprecated"`
	Sunset     Instant `yaml:"sunset"`
	Link       string  `yaml:"link"`
	// AfterSunset says what happens then.
	AfterSunset AfterSunset `yaml:"after_sunset" default:"serve"`
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

// AfterSunset says what becomes of a version when its sunset has come.
type AfterSunset string

const (
	// ServeAfterSunset goes on.
	ServeAfterSunset AfterSunset = "serve"
	// RefuseAfterSunset answers that the version is gone.
	RefuseAfterSunset AfterSunset = "refuse"
)

// UnmarshalText reads it.
func (a *AfterSunset) UnmarshalText(text []byte) error {
	switch AfterSunset(text) {
	case ServeAfterSunset, RefuseAfterSunset:
		*a = AfterSunset(text)
		return nil
	}
	return errors.New("write serve (the version goes on) or refuse (its callers are told that it is gone)")
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

// translates says whether there is anything that is about a translation.
func (v Version) translates() bool {
	return v.File != "" || len(v.Untranslated)+len(v.Operations)+len(v.Messages)+len(v.Enums) > 0
}

// versions checks what versions say.
func (v validator) versions() {
	for _, name := range v.c.VersionNames() {
		path, conf := "versions."+name, v.c.Versions[name]
		told := !conf.Deprecated.IsZero() || !conf.Sunset.IsZero()
		if conf.Of == "" && (conf.translates() || !told) {
			v.add(path, "name the newer version in "+path+".of", "%s is a translation of nothing", path)
		}
		if !conf.Deprecated.IsZero() && !conf.Sunset.IsZero() && conf.Sunset.Before(conf.Deprecated.Time) {
			v.add(path+".sunset", "let callers know before", "%s.sunset is before %s.deprecated", path, path)
		}
		if conf.AfterSunset == RefuseAfterSunset && conf.Sunset.IsZero() {
			v.add(path+".after_sunset", "say when, in "+path+".sunset", "%s is to be refused after its sunset, which is not said", path)
		}
		if conf.Link == "" {
			continue
		}
		if u, err := url.Parse(conf.Link); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(conf.Link, "<> \"") {
			v.add(path+".link", "write https://…", "%s.link is no address of a page", path)
		}
		if !told {
			v.add(path+".link", "say when, in "+path+".deprecated or "+path+".sunset", "%s.link is about a deprecation, and there is none", path)
		}
	}
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
