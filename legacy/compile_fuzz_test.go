package legacy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/annotated"
)

// FuzzCompile binds any SQL file to a contract: it may only be refused.
func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	contracts := make([]*contract.Contract, 0, len(files))
	for i, name := range files {
		ar, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range ar.Files {
			switch {
			case strings.HasSuffix(part.Name, ".proto"):
				c, faults := contract.Load(f.Context(), []contract.Root{{FS: fstest.MapFS{"lab.proto": {Data: part.Data}}}})
				if faults.Failed() {
					f.Fatal(faults.Err())
				}
				contracts = append(contracts, c)
			case strings.HasSuffix(part.Name, ".sql") && part.Name != "schema.sql":
				for _, block := range strings.SplitAfter(string(part.Data), ";\n") {
					f.Add(i, block)
				}
				f.Add(i, string(part.Data))
			}
		}
	}
	if shop, err := os.ReadFile("../examples/shop/sql/orders.sql"); err == nil {
		f.Add(0, string(shop))
	}
	f.Fuzz(func(_ *testing.T, i int, sql string) {
		file, _ := annotated.Parse("fuzz.sql", []byte(sql))
		c := contracts[max(i, -(i+1))%len(contracts)]
		program, _ := Compile(c, []*annotated.File{file}, Options{})
		for _, op := range program.operations() {
			for _, s := range op.statements {
				for _, mask := range s.masks() {
					_, _ = s.variant(mask) // a fault was reported where it can't be
				}
			}
		}
	})
}
