package boxes

import (
	_ "embed" // the project
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/tools/txtar"
)

//go:embed boxes.txtar
var archive []byte

// Files gives the project: contract, SQL, schema.sql and banyan.yaml.
func Files() (fs.FS, error) { return txtar.FS(txtar.Parse(archive)) }

// sub gives the contract's root.
func sub(files fs.FS) fs.FS {
	root, err := fs.Sub(files, "contract")
	if err != nil {
		return files // "contract" is a valid path
	}
	return root
}

// LayOut writes the project into a directory.
func LayOut(dir string) error {
	for _, f := range txtar.Parse(archive).Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("lay out the boxes: %w", err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			return fmt.Errorf("lay out the boxes: %w", err)
		}
	}
	return nil
}
