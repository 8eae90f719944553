package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/internal/devstack"
)

// The test binary is also what it starts as a side.
func TestMain(m *testing.M) {
	if name, child := os.LookupEnv(sideVariable); child {
		exit(serve(context.Background(), name, os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// Both sides answer alike, and a row of each workload and transport can be measured.
func TestBothSides(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database and two services")
	}
	db := devstack.MariaDB(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dsn := db.NewSchema(t)
	if err := seed(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	sides, err := startSides(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stopSides(sides); err != nil {
			t.Error(err)
		}
	}()
	items := &newItems{}
	if err := verify(ctx, sides, workloads(items), 3); err != nil {
		t.Fatal(err)
	}
	p := plan{workers: 2, rounds: 1, duration: 20 * time.Millisecond}
	rows := 0
	err = measureAll(ctx, p, sides, alike(workloads(items), 2), func(r row) {
		rows++
		for i, s := range sides {
			if got := r.samples[i]; len(got) != 1 || got[0].rate <= 0 || got[0].cpu <= 0 || got[0].allocations <= 0 || got[0].p99 < got[0].p50 {
				t.Errorf("%s of %s: %+v", r.name, s.name, got)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows != 6 {
		t.Errorf("%d rows, want 6", rows)
	}
}

// The older version answers as the newer one, and its rows can be measured.
func TestOlderVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database and a service")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dsn := devstack.MariaDB(t).NewSchema(t)
	if err := seed(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	banyan, err := startSide(ctx, versionedSide, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := banyan.stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := verifyOlder(ctx, banyan, 7, 3); err != nil {
		t.Fatal(err)
	}
	rows := 0
	err = measureAll(ctx, plan{workers: 2, rounds: 1, duration: 20 * time.Millisecond}, twoNames(banyan), olderWorkloads(), func(r row) {
		rows++
		for i := range r.samples {
			if got := r.samples[i]; len(got) != 1 || got[0].rate <= 0 || got[0].allocations <= 0 {
				t.Errorf("%s: %+v", r.name, got)
			}
		}
	})
	if err != nil || rows != 12 {
		t.Errorf("%d rows, want 12: %v", rows, err)
	}
}

// A difference between the sides is noticed: here one of them reads other data.
func TestVerifyNoticesDifferences(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database and two services")
	}
	db := devstack.MariaDB(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dsns := []string{db.NewSchema(t), db.NewSchema(t)}
	for i, dsn := range dsns {
		if err := seed(ctx, dsn); err != nil {
			t.Fatal(err)
		}
		if err := script(ctx, dsn, "UPDATE items SET name = CONCAT(name, ' of warehouse "+string('A'+rune(i))+"')", "SELECT 1", new(int)); err != nil {
			t.Fatal(err)
		}
	}
	var sides []*side
	for i, name := range []string{baselineSide, baselineSide} {
		s, err := startSide(ctx, name, dsns[i])
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.stop(); err != nil {
				t.Error(err)
			}
		}()
		sides = append(sides, s)
	}
	if err := verify(ctx, sides, workloads(&newItems{})[:1], 1); err == nil || !strings.Contains(err.Error(), "over gRPC baseline answers") {
		t.Errorf("got %v, want the difference", err)
	}
}

// A child ends when its parent is gone.
func TestChildEndsWithItsParent(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dsn := devstack.MariaDB(t).NewSchema(t)
	if err := seed(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	in, parent := io.Pipe()
	out, child := io.Pipe()
	ended := make(chan error, 1)
	t.Setenv(dsnVariable, dsn)
	go func() { ended <- serve(ctx, baselineSide, in, child) }()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	defer out.Close()
	if err := parent.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	var text strings.Builder
	r := report{out: &text, sides: []*side{{name: banyanSide}, {name: baselineSide}}, bar: bar}
	r.begin(plan{workers: 16, rounds: 3, duration: time.Second}, "MariaDB")
	r.row(row{name: "point read, gRPC", samples: [][]sample{
		{{rate: 1000, p50: 1}, {rate: 3000, p50: 1}, {rate: 2000, p50: 1}},
		{{rate: 1000, p50: 2}, {rate: 1500, p50: 2}, {rate: 2500, p50: 4}},
	}})
	r.end()
	for _, want := range []string{
		"| point read, gRPC | Banyan | ", " | 2,000 (1,000–3,000) | ", "|  | baseline | ", " | 1,500 (1,000–2,500) | ",
		" | **1.00** (0.80–2.00) | **0.50** (0.25–0.50) | ", "Least ratio of requests/s: 1.00 (point read, gRPC). The bar of 0.90 holds.",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestWriteInto(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	facadeBegins, facadeEnds := places(facadePart)
	mirrorBegins, mirrorEnds := places(mirrorPart)
	page := func(facade, mirror string) string {
		return "# Costs\n\n" + facadeBegins + facade + facadeEnds + "\nMore.\n" + mirrorBegins + mirror + mirrorEnds + "\nThe end.\n"
	}
	if err := os.WriteFile(file, []byte(page("old\n", "old\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ part, text, want string }{
		{facadePart, "first\n", page("\nfirst\n\n", "old\n")},
		{mirrorPart, "second\n", page("\nfirst\n\n", "\nsecond\n\n")},
		{mirrorPart, "third\n", page("\nfirst\n\n", "\nthird\n\n")},
	} {
		if err := writeInto(file, step.part, step.text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != step.want {
			t.Errorf("got %q, want %q", got, step.want)
		}
	}
	if err := os.WriteFile(file, []byte("# Costs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeInto(file, facadePart, "text\n"); err == nil || !strings.Contains(err.Error(), "no place for a report") {
		t.Errorf("a page without a place: %v", err)
	}
}
