package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/bench/figure"
)

// bar is what Banyan has to reach of the baseline's requests a second, in every row.
const bar = 0.9

// report prints a Markdown table as it is measured.
type report struct {
	out   io.Writer
	sides []*side
	// bar is what the first side has to reach of the other's requests a second, in every row; 0: nothing.
	bar float64
	err error

	worst     float64
	worstName string
}

func (r *report) printf(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.out, format, args...)
	}
}

func (r *report) begin(p plan, database string) {
	r.printf("%s\n\n", strings.Join(facadeMachine(database), "\n"))
	r.printf("%d requests under way at once; %d × %s of each side by turns, each after %s of warm-up. Median (least–most).\n\n",
		p.workers, p.rounds, p.duration, p.warmUp)
	names := make([]string, 0, len(columns()))
	for _, c := range columns() {
		names = append(names, c.name)
	}
	r.printf("| operation | side | %s |\n|---|---|%s\n", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
}

// column is one figure of a sample.
type column struct {
	name     string
	of       func(sample) float64
	decimals int
}

func columns() []column {
	return []column{
		{"CPU a request, µs", func(s sample) float64 { return s.cpu }, 1},
		{"requests/s", func(s sample) float64 { return s.rate }, 0},
		{"p50, ms", func(s sample) float64 { return s.p50 }, 2},
		{"p99, ms", func(s sample) float64 { return s.p99 }, 2},
		{"allocations", func(s sample) float64 { return s.allocations }, 0},
		{"bytes allocated", func(s sample) float64 { return s.bytes }, 0},
	}
}

func (r *report) row(measured row) {
	for i, s := range r.sides {
		cells := []string{measured.name, s.name}
		if i > 0 {
			cells[0] = ""
		}
		for _, c := range columns() {
			cells = append(cells, figure.Spread(figure.Of(measured.samples[i], c.of), c.decimals))
		}
		r.printf("| %s |\n", strings.Join(cells, " | "))
	}
	cells := []string{"", "**ratio**"}
	for _, c := range columns() {
		ratios := figure.Pairwise(figure.Of(measured.samples[0], c.of), figure.Of(measured.samples[1], c.of))
		cells = append(cells, "**"+figure.Number(figure.Median(ratios), 2)+"** ("+figure.Number(slices.Min(ratios), 2)+"–"+figure.Number(slices.Max(ratios), 2)+")")
	}
	r.printf("| %s |\n", strings.Join(cells, " | "))

	rate := figure.Median(figure.Pairwise(figure.Of(measured.samples[0], rateOf), figure.Of(measured.samples[1], rateOf)))
	if r.worstName == "" || rate < r.worst {
		r.worst, r.worstName = rate, measured.name
	}
}

func rateOf(s sample) float64 { return s.rate }

func (r *report) end() {
	r.printf("\nA ratio is %s's figure divided by that of the %s measured next to it: the median of all rounds. More is better for requests/s, less for all else.\n",
		r.sides[0].name, r.sides[1].name)
	r.printf("Least ratio of requests/s: %.2f (%s).", r.worst, r.worstName)
	if r.bar > 0 {
		verdict := "holds"
		if r.worst < r.bar {
			verdict = "does NOT hold"
		}
		r.printf(" The bar of %.2f %s.", r.bar, verdict)
	}
	r.printf("\n")
	r.printf("Measured at %s.\n", time.Now().UTC().Format(time.DateTime+" UTC"))
}
