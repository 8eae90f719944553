package house

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// findSleeps finds tests that wait by the clock: too short on a busy machine, too
// long on any other. In a bubble of synctest a sleep takes no time and is exact.
func findSleeps(t *tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		if !f.test {
			continue
		}
		bubbles := calls(f, "testing/synctest", "Test")
		for _, call := range calls(f, "time", "Sleep") {
			if slices.ContainsFunc(bubbles, func(bubble *ast.CallExpr) bool { return bubble.Pos() <= call.Pos() && call.End() <= bubble.End() }) {
				continue
			}
			found = append(found, Finding{f.name, f.line(call.Pos()), "time.Sleep in a test: wait for a signal, or poll with a deadline"})
		}
	}
	return found
}

// findUnwrapped finds errors put into an error's text, where errors.Is and errors.As can't see them.
func findUnwrapped(t *tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		for _, call := range calls(f, "fmt", "Errorf") {
			if verb, ok := unwrappedError(call); ok {
				found = append(found, Finding{f.name, f.line(call.Pos()), "an error is formatted by %" + verb + ": use %w, so that callers can ask what it is"})
			}
		}
	}
	return found
}

// verbs finds a format's verbs. Flags, width and precision don't take arguments in this house; %% takes none.
var verbs = regexp.MustCompile(`%[-+# 0-9.]*([a-zA-Z%])`)

// looseVerbs turn an error into text.
var looseVerbs = []string{"v", "s", "q"}

// unwrappedError says by which verb other than w a call formats an argument that is called an error.
func unwrappedError(call *ast.CallExpr) (verb string, ok bool) {
	if len(call.Args) < 2 {
		return "", false
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	format, err := strconv.Unquote(literal.Value)
	if err != nil {
		return "", false
	}
	next := 1
	for _, match := range verbs.FindAllStringSubmatch(format, -1) {
		if match[1] == "%" {
			continue
		}
		if next < len(call.Args) && slices.Contains(looseVerbs, match[1]) && calledError(call.Args[next]) {
			return match[1], true
		}
		next++
	}
	return "", false
}

// calledError says whether an expression has an error's name: err, closeErr, s.err.
func calledError(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "err" || strings.HasSuffix(e.Name, "Err")
	case *ast.SelectorExpr:
		return calledError(e.Sel)
	default:
		return false
	}
}

// calls gives the calls of a function of a standard package, under whatever name that is imported.
func calls(f *goFile, imported, function string) []*ast.CallExpr {
	name := ""
	for _, spec := range f.syntax.Imports {
		if spec.Path.Value != strconv.Quote(imported) {
			continue
		}
		name = path.Base(imported)
		if spec.Name != nil {
			name = spec.Name.Name
		}
	}
	if name == "" {
		return nil
	}
	var found []*ast.CallExpr
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if selector, ok := call.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == function {
			if x, ok := selector.X.(*ast.Ident); ok && x.Name == name {
				found = append(found, call)
			}
		}
		return true
	})
	return found
}

// findInits finds functions that run because a package is imported.
func findInits(t *tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		if f.generated {
			continue
		}
		for _, declaration := range f.syntax.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
				found = append(found, Finding{f.name, f.line(function.Pos()), "an init function: what runs is called by name in internal/app, or nobody can tell why it ran"})
			}
		}
	}
	return found
}

// later matches marks of unfinished work. It is put together so that it does not find itself.
var later = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)

// findLater finds marks of unfinished work: what is not done is an issue or not there.
func findLater(t *tree) []Finding {
	var found []Finding
	look := func(name, text string) {
		for i, line := range strings.Split(text, "\n") {
			if mark := later.FindString(line); mark != "" {
				found = append(found, Finding{name, i + 1, mark + ": do it now, or open an issue"})
			}
		}
	}
	for _, f := range t.files {
		if !f.generated {
			look(f.name, f.text)
		}
	}
	for _, f := range t.texts {
		look(f.name, f.text)
	}
	return found
}
