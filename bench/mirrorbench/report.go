package mirrorbench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/bench/figure"
	"banyan.dev/banyan/bench/rig"
)

// What Banyan aims for.
const (
	aimRatio = 1.0  // of rows a second by hand, more than that, into each kind of queue
	aimLimit = 0.5  // of rows a second of decoding alone, that at least, by native streams
	aimP99   = 50.0 // milliseconds, less than that, at the highest pace
)

// report prints Markdown as it is measured.
type report struct {
	out io.Writer
	err error

	verdicts []string
}

func (r *report) printf(format string, args ...any) {
	if r.err == nil {
		_, r.err = fmt.Fprintf(r.out, format, args...)
	}
}

func (r *report) cells(cells ...string) { r.printf("| %s |\n", strings.Join(cells, " | ")) }

func (r *report) head(cells ...string) {
	r.cells(cells...)
	r.printf("%s|\n", strings.Repeat("|---", len(cells)))
}

func (r *report) begin(p Plan, machine []string) {
	r.printf("%s\n\n", strings.Join(machine, "\n"))
	r.printf("%s inserts and as many updates of %d columns in transactions of %d rows, drained %d × by each by turns, each time into a new queue. Median (least–most).\n\n",
		figure.Number(float64(p.Rows), 0), 8, p.Transaction, p.Rounds)
	r.head("drained", "contender", "rows/s", "CPU a row, µs", "broker's CPU a row, µs", "peak memory, MiB")
}

func drainColumns() []func(drained) float64 {
	return []func(drained) float64{
		func(d drained) float64 { return d.rate }, func(d drained) float64 { return d.cpu },
		func(d drained) float64 { return d.broker }, func(d drained) float64 { return d.peak },
	}
}

// drains prints a row for each contender, and how Banyan compares with those by hand, and, by native streams, with the limit.
func (r *report) drains(what string, contenders []contender, samples [][]drained, limit []drained) {
	for i, c := range contenders {
		cells := []string{what, c.name}
		if i > 0 {
			cells[0] = ""
		}
		for n, of := range drainColumns() {
			cells = append(cells, figure.Spread(figure.Of(samples[i], of), min(n, 1)))
		}
		r.cells(cells...)
	}
	own := slices.IndexFunc(contenders, func(c contender) bool { return c.name == banyan })
	for i := own; i >= 0 && i < len(contenders); i++ {
		name, of := contenders[i].name, ""
		if i > own {
			of = " of " + name
		}
		for k := range own {
			if rate := r.ratio(of, contenders[k].name, samples[i], samples[k]); rate <= aimRatio {
				r.verdicts = append(r.verdicts, fmt.Sprintf("%s: %.2f of the rows/s %s%s", what, rate, contenders[k].name, of))
			}
		}
		if contenders[i].streams {
			if rate := r.ratio(of, limited, samples[i], limit); rate < aimLimit {
				r.verdicts = append(r.verdicts, fmt.Sprintf("%s: %.2f of the rows/s of %s%s", what, rate, limited, of))
			}
		}
	}
}

// ratio prints how Banyan compares with another, and gives that of rows a second.
func (r *report) ratio(of, other string, own, others []drained) (rate float64) {
	cells := []string{"", "**ratio**" + of + " to " + other}
	for n, column := range drainColumns() {
		ratios := figure.Pairwise(figure.Of(own, column), figure.Of(others, column))
		if n == 0 {
			rate = figure.Median(ratios)
		}
		if slices.Max(figure.Of(others, column)) == 0 {
			cells = append(cells, "–")
			continue
		}
		cells = append(cells, "**"+figure.Number(figure.Median(ratios), 2)+"** ("+figure.Number(slices.Min(ratios), 2)+"–"+figure.Number(slices.Max(ratios), 2)+")")
	}
	r.cells(cells...)
	return rate
}

func (r *report) beginPaces(p Plan) {
	r.printf("\nFrom a commit to the broker's confirm while %d connections write at a steady pace for %s, after %s of warm-up:\n\n",
		rig.Writers, p.Duration, p.WarmUp)
	r.head("pace", "queue", "contender", "written, rows/s", "p50, ms", "p99, ms", "most, ms")
}

func (r *report) pace(pace Pace, kind, contender string, f followed) {
	r.cells(pace.String(), kind, contender, figure.Number(f.rate, 0),
		figure.Number(f.P50, 1), figure.Number(f.P99, 1), figure.Number(f.Max, 1))
	if strings.HasPrefix(contender, banyan) && f.P99 >= aimP99 {
		r.verdicts = append(r.verdicts, fmt.Sprintf("%s, %s queue: p99 of %.1f ms", pace, kind, f.P99))
	}
}

func (r *report) end() {
	r.printf("\nA ratio is Banyan's figure divided by that of the other measured next to it: the median of all rounds. More is better for rows/s, less for all else.\n")
	r.printf("The aim, more rows/s than by hand into each kind of queue, half of those of decoding alone by native streams, and a p99 below %.0f ms at each pace, ", aimP99)
	if len(r.verdicts) == 0 {
		r.printf("holds.\n")
	} else {
		r.printf("does NOT hold: %s.\n", strings.Join(r.verdicts, "; "))
	}
	r.printf("Measured at %s.\n", time.Now().UTC().Format(time.DateTime+" UTC"))
}
