package house

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// mostLines is how long a file may be without a reason.
const mostLines = 400

// longFiles lists files that may be longer than mostLines, each with its reason.
func longFiles() map[string]string {
	return map[string]string{}
}

// findLong finds files that hold more than one concept, going by their length, and reasons that no file needs any more.
func findLong(t *tree) []Finding {
	reasons := longFiles()
	var found []Finding
	for _, f := range t.files {
		_, excused := reasons[f.name]
		switch {
		case f.generated:
		case f.lines > mostLines && !excused:
			found = append(found, Finding{f.name, 0, fmt.Sprintf("has %d lines, more than %d: split it by concept, or give the reason in internal/house", f.lines, mostLines)})
		case f.lines <= mostLines && excused:
			found = append(found, Finding{f.name, 0, "is short enough: take its reason out of internal/house"})
		}
	}
	return found
}

// findUnexplained finds packages without a doc comment, which says what the package owns.
func findUnexplained(t *tree) []Finding {
	type pkg struct {
		first     string
		explained bool
	}
	packages := map[string]*pkg{}
	for _, f := range t.files {
		if f.test {
			continue
		}
		p := packages[f.dir]
		if p == nil {
			p = &pkg{first: f.name}
			packages[f.dir] = p
		}
		p.explained = p.explained || f.generated || f.syntax.Doc != nil && strings.TrimSpace(f.syntax.Doc.Text()) != ""
	}
	var found []Finding
	for dir, p := range packages {
		if !p.explained {
			found = append(found, Finding{p.first, 1, "the package " + dir + " has no doc comment: say what it owns, and what it does not"})
		}
	}
	return found
}

// vagueNames say nothing about what is in a package, so everything ends up there.
var vagueNames = []string{"base", "common", "helper", "helpers", "lib", "misc", "model", "models", "shared", "type", "types", "util", "utils"}

func findNames(t *tree) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, f := range t.files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		for _, part := range []string{name, path.Base(f.dir)} {
			if slices.Contains(vagueNames, part) && !seen[f.dir] {
				seen[f.dir] = true
				found = append(found, Finding{f.name, f.line(f.syntax.Name.Pos()), "a package named " + part + " has no subject: name it after what it holds"})
			}
		}
	}
	return found
}
