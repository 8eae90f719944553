package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"banyan.dev/banyan/internal/fault"
)

// maxFile bounds the file's size in bytes.
const maxFile = 64 << 10

// Load reads the config file at path. The Config is never nil: what the file says wrongly has its default, so that
// the reader of the contract and the SQL can go on and report their faults too.
func Load(path string, lookup Lookup) (*Config, fault.List) {
	data, err := os.ReadFile(path)
	if err != nil {
		var faults fault.List
		fix := ""
		if errors.Is(err, fs.ErrNotExist) {
			fix = "name the file with -c FILE"
		}
		faults.Add(fault.Pos{File: path}, fix, "can't read the config: %v", errors.Unwrap(err))
		cfg := &Config{file: path}
		(&decoder{faults: &fault.List{}}).defaults(reflect.ValueOf(cfg).Elem())
		return cfg, faults
	}
	cfg, faults := Parse(path, data, lookup)
	cfg.readVersions(lookup, &faults)
	return cfg, faults
}

// Parse reads a config from memory, without the files that versions name; path is its name in faults, and what its relative
// paths are relative to.
func Parse(path string, data []byte, lookup Lookup) (*Config, fault.List) {
	var faults fault.List
	cfg := &Config{file: path, positions: map[string]fault.Pos{}, values: map[string]valuePos{}}
	d := &decoder{file: path, source: data, lookup: lookup, faults: &faults, positions: cfg.positions, values: cfg.values}
	d.defaults(reflect.ValueOf(cfg).Elem())
	if body, ok := d.parse(data); ok {
		d.decode(body, cfg)
		validate(cfg, &faults)
	}
	return cfg, faults
}

// parse gives the body of the only document; nil when it is empty.
func (d *decoder) parse(data []byte) (body ast.Node, ok bool) {
	top := fault.Pos{File: d.file, Line: 1, Col: 1}
	most := max(maxFile, d.most)
	if len(data) > most {
		d.faults.Add(top, "", "the config is larger than %s", Size(most))
		return nil, false
	}
	file, err := parseYAML(data)
	var deep *nestingError
	var syntax *yaml.SyntaxError
	switch {
	case errors.As(err, &deep):
		d.faults.Add(d.at(deep.at), "write lists and mappings as docs/config.md shows them", "brackets or dashes nest more than %d levels deep", maxNesting)
		return nil, false
	case errors.As(err, &syntax):
		d.faults.Add(d.at(syntax.Token), "", "this is not YAML: %s", syntax.Message)
		return nil, false
	case err != nil:
		d.faults.Add(top, "", "this is not YAML")
		return nil, false
	}
	docs := slices.DeleteFunc(file.Docs, func(doc *ast.DocumentNode) bool { return doc.Body == nil })
	if len(docs) > 1 {
		d.faults.Add(d.at(docs[1].Body.GetToken()), "keep the first", "the file holds several YAML documents")
	}
	if len(docs) == 0 {
		return nil, true
	}
	return docs[0].Body, true
}

// parseYAML turns a panic of the YAML parser into an error: its input is a person's text, and a broken text is no
// reason to crash.
func parseYAML(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("parser: %v", r)
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if at := tooDeep(tokens); at != nil {
		return nil, &nestingError{at}
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// SQLFiles gives the files that the globs of sql match, in order and each once. A glob that matches nothing is a fault.
func (c *Config) SQLFiles() ([]string, fault.List) {
	var faults fault.List
	var files []string
	for i, glob := range c.SQL {
		pos := c.Pos(Indexed("sql", i))
		matches, err := filepath.Glob(glob)
		switch {
		case err != nil:
			faults.Add(pos, "see docs/config.md for what * ? and [ mean", "this is not a glob: %v", err)
		case len(matches) == 0:
			faults.Add(pos, "paths are relative to the config file", "no file matches %s", glob)
		}
		files = append(files, matches...)
	}
	slices.Sort(files)
	return slices.Compact(files), faults
}
