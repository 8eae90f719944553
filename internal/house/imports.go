package house

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// findImports finds imports between rooms that the plan has no way for. Tests
// may also use the servers of internal/devstack and what is next to them in
// the same room.
func findImports(t *tree) []Finding {
	plan := rooms()
	var found []Finding
	unplanned := map[string]bool{}
	for _, f := range t.files {
		here, ok := roomOf(plan, f.dir)
		if !ok {
			if f.dir != "." && !unplanned[f.dir] {
				unplanned[f.dir] = true
				found = append(found, Finding{f.name, 0, "the room " + f.dir + " is not in the plan: add it to internal/house, with what it may import and why"})
			}
			continue
		}
		f.imports(func(imported string, line int) {
			dir, ours := ourDir(imported)
			if !ours || f.test && within(dir, "internal/devstack") {
				return
			}
			if why, crosses := betweenDoors(f.dir, dir); crosses {
				found = append(found, Finding{f.name, line, fmt.Sprintf("%s must not import %s: %s", f.dir, dir, why)})
				return
			}
			may := here.may
			if f.test {
				may = slices.Concat(may, here.tests)
			}
			there, known := roomOf(plan, dir)
			if known && there.dir == here.dir || slices.ContainsFunc(may, func(may string) bool { return within(dir, may) && !ownRoom(plan, dir, may) }) {
				return
			}
			found = append(found, Finding{f.name, line, fmt.Sprintf("%s must not import %s: %s", here.dir, dir, here.why)})
		})
	}
	return found
}

// roomOf gives the longest entry of the plan that dir is in.
func roomOf(plan []room, dir string) (room, bool) {
	var best room
	for _, r := range plan {
		if within(dir, r.dir) && len(r.dir) > len(best.dir) {
			best = r
		}
	}
	return best, best.dir != ""
}

// ownRoom says whether dir is in a room of its own below may's room, so that
// the way into the one is none into the other: mirror does not stand for mirror/change.
func ownRoom(plan []room, dir, may string) bool {
	there, ok := roomOf(plan, dir)
	return ok && there.dir != may && within(there.dir, may) && may != "internal"
}

// betweenDoors says whether an import leads from one part of a directory of doors() to another, and why that is wrong.
func betweenDoors(from, to string) (why string, crosses bool) {
	for parent, reason := range doors() {
		if within(from, parent) && within(to, parent) && part(from, parent) != part(to, parent) {
			return reason, true
		}
	}
	return "", false
}

// part gives the first element of dir below parent.
func part(dir, parent string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(dir, parent+"/"), "/")
	return first
}

// ourDir gives the directory of an import path of this module.
func ourDir(imported string) (dir string, ours bool) {
	if imported == module {
		return ".", true
	}
	rest, ours := strings.CutPrefix(imported, module+"/")
	return path.Clean(rest), ours
}

// within says whether dir is parent or below it.
func within(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}
