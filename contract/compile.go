package contract

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"banyan.dev/banyan/internal/fault"
)

// compile gives the files' descriptors in the order of their paths. Files that import something missing or broken are
// left out, so that the faults of all others are found nevertheless.
func compile(ctx context.Context, files sources, faults *fault.List) []protoreflect.FileDescriptor {
	rep := &compileReporter{files: files, faults: faults}
	trees := parse(ctx, files, rep)
	good := checkImports(files, trees, faults)
	compiler := protocompile.Compiler{
		Resolver:       resolver(trees),
		Reporter:       rep,
		SourceInfoMode: protocompile.SourceInfoExtraOptionLocations,
	}
	done, err := compiler.Compile(ctx, good...)
	var placed reporter.ErrorWithPos
	switch {
	case err == nil, errors.Is(err, reporter.ErrInvalidSource), ctx.Err() != nil:
	case errors.As(err, &placed):
		_ = rep.Error(placed)
	default:
		faults.Add(fault.Pos{}, "report this as a bug of Banyan, with the file", "the .proto compiler failed: %v", err)
	}
	var out []protoreflect.FileDescriptor
	for _, f := range done {
		if f != nil {
			out = append(out, f)
		}
	}
	if faults.Failed() {
		return out // to be looked at, not served
	}
	settled, err := settle(out)
	if err != nil {
		faults.Add(fault.Pos{}, "report this as a bug of Banyan, with the file", "the .proto files compile, but can't be used: %v", err)
		return nil
	}
	return settled
}

// resolver gives the compiler the roots' parsed files first, then the built-in ones.
func resolver(trees map[string]*ast.FileNode) protocompile.Resolver {
	return protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		if tree := trees[path]; tree != nil {
			return protocompile.SearchResult{AST: tree}, nil
		}
		if fd := builtIn(path); fd != nil {
			return protocompile.SearchResult{Desc: fd}, nil
		}
		return protocompile.SearchResult{}, protoregistry.NotFound
	})
}

// compileReporter turns the compiler's errors and warnings into faults and lets it go on.
type compileReporter struct {
	files  sources
	mu     sync.Mutex
	faults *fault.List
}

// Error records an error; nil tells the compiler to go on.
func (r *compileReporter) Error(err reporter.ErrorWithPos) error {
	text := err.Unwrap().Error()
	r.add(r.pos(err), advice(text), "%s", text)
	return nil
}

func (r *compileReporter) add(pos fault.Pos, fix, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults.Add(pos, fix, format, args...)
}

// Warning records a warning, but not about Google's own files.
func (r *compileReporter) Warning(err reporter.ErrorWithPos) {
	start := err.GetPosition()
	if strings.HasPrefix(start.Filename, "google/") {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text := err.Unwrap().Error()
	r.faults.Warn(r.pos(err), advice(text), "%s", text)
}

func (r *compileReporter) pos(err reporter.ErrorWithPos) fault.Pos {
	start := err.GetPosition()
	src := r.files[start.Filename]
	switch {
	case src == nil:
		return fault.Pos{File: start.Filename}
	case start.Line == 0:
		return fault.Pos{File: src.display}
	}
	return src.offset(start.Offset)
}

// advice says what to do about the compiler's commonest complaints.
func advice(text string) string {
	for _, a := range []struct{ has, fix string }{
		{"unknown type", "correct the name, or import the file that declares it"},
		{"unknown extension", "import the file that declares the option, such as google/api/annotations.proto"},
		{"not imported", "import the file that declares it"},
		{"not used", "remove the import"},
		{"no syntax specified", `start the file with: syntax = "proto3";`},
		{"already defined", "rename one of the two"},
		{"syntax error", "correct the line; the position is where the compiler stopped understanding"},
		{"both have the same tag", "give each field a number of its own"},
		{"must contain at least one", "add one, or remove the declaration"},
		{"first value", "make the enum's first value 0, named …_UNSPECIFIED"},
	} {
		if strings.Contains(text, a.has) {
			return a.fix
		}
	}
	return "correct the declaration"
}
