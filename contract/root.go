package contract

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"banyan.dev/banyan/internal/fault"
)

// Root is a tree of .proto files. Imports are relative to it.
type Root struct {
	// Name is how the person who wrote the config knows the tree, such as "contract". Positions of faults start with it.
	Name string
	FS   fs.FS
}

// Dir gives the directory dir as a root. name is its display name; "" means dir itself.
func Dir(dir, name string) Root {
	if name == "" {
		name = dir
	}
	return Root{Name: name, FS: os.DirFS(dir)}
}

// display gives the path of a file of the root as its author knows it.
func (r Root) display(file string) string { return path.Join(r.Name, file) }

// source is one .proto file of a root.
type source struct {
	path    string // as other files import it
	display string // as its author knows it
	text    []byte
}

// sources are the files of all roots by import path.
type sources map[string]*source

// paths gives the import paths in order.
func (s sources) paths() []string {
	out := make([]string, 0, len(s))
	for p := range s {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// readRoots reads every .proto file of the roots, except hidden directories, roots inside of roots, and google/protobuf,
// which is part of the language and built in.
func readRoots(ctx context.Context, roots []Root, faults *fault.List) sources {
	files := sources{}
	for i, root := range roots {
		if root.FS == nil {
			faults.Add(fault.Pos{File: root.Name}, "give the directory", "a root of the contract has no files")
			continue
		}
		err := fs.WalkDir(root.FS, ".", func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case ctx.Err() != nil:
				return ctx.Err()
			case d.IsDir():
				if p != "." && (strings.HasPrefix(d.Name(), ".") || p == "google/protobuf" || isOther(roots, i, root.display(p))) {
					return fs.SkipDir
				}
				return nil
			case path.Ext(p) != ".proto":
				return nil
			}
			return files.read(root, p, faults)
		})
		switch {
		case errors.Is(err, fs.ErrNotExist):
			faults.Add(fault.Pos{File: root.Name}, "create the directory, or correct contract.paths", "no such directory")
		case err != nil:
			faults.Add(fault.Pos{File: root.Name}, "make the directory readable", "can't read the contract: %v", err)
		}
	}
	return files
}

func (s sources) read(root Root, p string, faults *fault.List) error {
	display := root.display(p)
	if first, ok := s[p]; ok {
		faults.Add(fault.Pos{File: display}, "remove one of the two, or rename it",
			"%s is in two roots: also as %s", p, first.display)
		return nil
	}
	text, err := fs.ReadFile(root.FS, p)
	if err != nil {
		faults.Add(fault.Pos{File: display}, "make the file readable", "can't read the file: %v", err)
		return nil
	}
	s[p] = &source{path: p, display: display, text: text}
	return nil
}

// isOther tells whether a directory is a root of its own, other than root i.
func isOther(roots []Root, i int, display string) bool {
	for j, r := range roots {
		if j != i && path.Clean(r.Name) == display {
			return true
		}
	}
	return false
}
