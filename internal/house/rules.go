package house

import (
	"cmp"
	"io/fs"
	"slices"
)

// rule is one rule of the house.
type rule struct {
	name string
	find func(*tree) []Finding
}

// rules lists all of them.
func rules() []rule {
	return []rule{
		{"imports go one way", findImports},
		{"libraries have one door", findLibraries},
		{"packages are explained", findUnexplained},
		{"packages have telling names", findNames},
		{"files are small", findLong},
		{"tests don't sleep", findSleeps},
		{"errors are wrapped", findUnwrapped},
		{"nothing registers itself", findInits},
		{"nothing is left for later", findLater},
	}
}

// Check gives all that breaks a rule in the repository at root, by file and line.
func Check(root fs.FS) ([]Finding, error) {
	t, err := readTree(root)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, r := range rules() {
		for _, f := range r.find(t) {
			f.Message += " [" + r.name + "]"
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
	return found, nil
}
