package contract

import (
	"bytes"
	"context"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
)

// parse gives the syntax tree of each file; files with syntax errors have none.
func parse(ctx context.Context, files sources, rep *compileReporter) map[string]*ast.FileNode {
	trees := make(map[string]*ast.FileNode, len(files))
	var mu sync.Mutex
	var workers sync.WaitGroup
	work := make(chan *source)
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		workers.Go(func() {
			for src := range work {
				if tree := parseFile(src, rep); tree != nil {
					mu.Lock()
					trees[src.path] = tree
					mu.Unlock()
				}
			}
		})
	}
	for _, p := range files.paths() {
		if ctx.Err() != nil {
			break
		}
		work <- files[p]
	}
	close(work)
	workers.Wait()
	return trees
}

// parseFile gives nil when the file can't be parsed. A panic of the parser is a fault of that file.
func parseFile(src *source, rep *compileReporter) (tree *ast.FileNode) {
	defer func() {
		if p := recover(); p != nil {
			tree = nil
			rep.add(fault.Pos{File: src.display}, "simplify the file, and report this as a bug of Banyan", "the .proto parser broke down: %v", p)
		}
	}()
	h := reporter.NewHandler(rep)
	tree, err := parser.Parse(src.path, bytes.NewReader(src.text), h)
	if err != nil || h.Error() != nil {
		return nil
	}
	return tree
}

// importCheck walks the imports before the compiler does, because that stops at the first one that it can't find.
type importCheck struct {
	files  sources
	trees  map[string]*ast.FileNode
	faults *fault.List
	state  map[string]importState
}

type importState int

const (
	walking importState = iota + 1
	sound
	broken
)

// checkImports gives the paths of the files whose imports are all there, in order.
func checkImports(files sources, trees map[string]*ast.FileNode, faults *fault.List) []string {
	check := importCheck{files: files, trees: trees, faults: faults, state: map[string]importState{}}
	var good []string
	for _, p := range files.paths() {
		if check.file(p) == sound {
			good = append(good, p)
		}
	}
	return good
}

func (c *importCheck) file(p string) importState {
	if s := c.state[p]; s != 0 {
		return s
	}
	tree := c.trees[p]
	if tree == nil {
		c.state[p] = broken
		return broken
	}
	c.state[p] = walking
	result := sound
	for _, decl := range tree.Decls {
		if im, ok := decl.(*ast.ImportNode); ok {
			if !c.imported(p, tree, im) {
				result = broken
			}
		}
	}
	c.state[p] = result
	return result
}

// imported tells whether one import can be followed.
func (c *importCheck) imported(from string, tree *ast.FileNode, im *ast.ImportNode) bool {
	name := im.Name.AsString()
	pos := c.files[from].offset(tree.NodeInfo(im.Name).Start().Offset)
	if _, ok := c.files[name]; ok {
		switch c.file(name) {
		case walking:
			c.faults.Add(pos, "move what both need into a third file", "%s imports itself, by way of %s", from, name)
			return false
		case broken:
			return false
		case sound:
		}
		return true
	}
	fd := builtIn(name)
	if fd == nil {
		c.faults.Add(pos, c.missing(name), "there is no file %q", name)
		return false
	}
	if r := c.replaced(fd); r != nil {
		c.faults.Add(pos, "put "+name+" beside it, or remove "+r.display,
			"%s is built in and imports %s, which the contract replaces", name, r.path)
		return false
	}
	return true
}

// replaced finds a file of the roots that stands in the place of an import of a built-in file.
func (c *importCheck) replaced(fd protoreflect.FileDescriptor) *source {
	imports := fd.Imports()
	for i := range imports.Len() {
		im := imports.Get(i)
		if src := c.files[im.Path()]; src != nil {
			return src
		}
		if src := c.replaced(im.FileDescriptor); src != nil {
			return src
		}
	}
	return nil
}

// missing says what to do about an import that is not there.
func (c *importCheck) missing(name string) string {
	base := "/" + path.Base(name)
	var near []string
	for p := range c.files {
		if strings.HasSuffix("/"+p, base) {
			near = append(near, p)
		}
	}
	if len(near) > 0 {
		slices.Sort(near)
		return "imports are relative to the roots in contract.paths; did you mean " + strings.Join(near, " or ") + "?"
	}
	return "put the file under one of the roots in contract.paths; nothing is fetched"
}
