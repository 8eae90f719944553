package annotated

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, faults := Parse(filepath.Base(file), src)
			var got strings.Builder
			for _, f := range faults.All() {
				got.WriteString(f.String() + "\n")
				if f.Fix == "" || f.Line == 0 || f.Col == 0 {
					t.Errorf("a fault lacks its place or what to do: %+v", f)
				}
			}
			golden := strings.TrimSuffix(file, ".sql") + ".faults"
			if flag.Lookup("update").Value.String() == "true" {
				if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("faults differ (run with -update once they are right)\ngot:\n%swant:\n%s", got.String(), want)
			}
		})
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write testdata/*.faults anew")
	os.Exit(m.Run())
}
