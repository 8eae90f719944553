package house

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// module is the import path of the repository's root.
const module = "banyan.dev/banyan"

// Finding is one place where a rule is broken.
type Finding struct {
	File    string // from the repository's root
	Line    int    // from 1; zero means the whole file
	Message string // what is wrong, and why that is
}

// String gives file:line: message.
func (f Finding) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return f.File + ":" + strconv.Itoa(f.Line) + ": " + f.Message
}

// tree is what the rules look at: all Go files, parsed, and the other texts.
type tree struct {
	files []*goFile
	texts []textFile
}

type goFile struct {
	name      string // from the root, with slashes
	dir       string // "." at the root
	text      string
	lines     int
	test      bool
	generated bool
	fset      *token.FileSet
	syntax    *ast.File
}

type textFile struct{ name, text string }

// line gives where in the file a node begins.
func (f *goFile) line(p token.Pos) int { return f.fset.Position(p).Line }

// imports calls yield for each import path and its line.
func (f *goFile) imports(yield func(imported string, line int)) {
	for _, spec := range f.syntax.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil {
			yield(imported, f.line(spec.Pos()))
		}
	}
}

// textKinds are the ends of names of files, other than Go's, that people write here.
var textKinds = []string{".proto", ".sql", ".yaml", ".yml", ".md", ".sh", ".mk", "Makefile", "scripts/", ".ci/"}

// readTree reads a repository. It leaves out what tools wrote (hidden
// directories but for .ci, bin) and testdata, which has mistakes on purpose.
func readTree(root fs.FS) (*tree, error) {
	t := &tree{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			// Others may work in the tree while it is read: a file that went away is not there.
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if entry.IsDir() {
			if skipped(name) {
				return fs.SkipDir
			}
			return nil
		}
		return t.add(root, name, entry)
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	return t, nil
}

func skipped(dir string) bool {
	base := path.Base(dir)
	return dir != "." && dir != ".ci" && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || dir == "bin")
}

func (t *tree) add(root fs.FS, name string, entry fs.DirEntry) error {
	isGo := strings.HasSuffix(name, ".go")
	if !entry.Type().IsRegular() || !isGo && !isText(name) {
		return nil
	}
	content, err := fs.ReadFile(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text := string(content)
	if !isGo {
		t.texts = append(t.texts, textFile{name, text})
		return nil
	}
	f := &goFile{
		name: name, dir: path.Dir(name), text: text, lines: strings.Count(text, "\n"),
		test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet(),
	}
	if f.syntax, err = parser.ParseFile(f.fset, name, content, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	f.generated = ast.IsGenerated(f.syntax)
	t.files = append(t.files, f)
	return nil
}

func isText(name string) bool {
	for _, kind := range textKinds {
		if strings.HasSuffix(name, kind) || strings.HasSuffix(kind, "/") && strings.HasPrefix(name, kind) {
			return true
		}
	}
	return false
}
