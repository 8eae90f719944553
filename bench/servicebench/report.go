package servicebench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"banyan.dev/banyan/bench/figure"
	"banyan.dev/banyan/bench/rig"
)

// report prints Markdown as it is measured.
type report struct {
	out io.Writer
	err error

	late []string // where the machine could not keep up with what was to be changed
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

func (r *report) measuredAt() {
	r.printf("\nMeasured at %s.\n", time.Now().UTC().Format(time.DateTime+" UTC"))
}

// column is one figure of what was drained.
type column struct {
	name     string
	of       func(drained) float64
	decimals int
}

func columns() []column {
	return []column{
		{"events/s", func(d drained) float64 { return d.rate }, 0},
		{"CPU an event, µs", func(d drained) float64 { return d.cpu }, 0},
		{"database's CPU an event, µs", func(d drained) float64 { return d.database }, 0},
		{"broker's CPU an event, µs", func(d drained) float64 { return d.broker }, 0},
		{"statements an event", func(d drained) float64 { return d.statements }, 2},
		{"peak memory, MiB", func(d drained) float64 { return d.peak }, 1},
	}
}

func (r *report) beginDrains(p Plan) {
	r.printf("%s transactions of each kind, each of another order, told of %d × by each by turns, each time into %d new queues. Median (least–most).\n\n",
		figure.Number(float64(p.Orders), 0), p.Rounds, p.Queues)
	cells := []string{"transactions", "contender"}
	for _, c := range columns() {
		cells = append(cells, c.name)
	}
	r.head(cells...)
}

// drains prints a row for each contender, and how Banyan, the last, compares with those by hand.
func (r *report) drains(what string, contenders []contender, samples [][]drained) {
	for i, c := range contenders {
		cells := []string{what, c.name}
		if i > 0 {
			cells[0] = ""
		}
		for _, column := range columns() {
			cells = append(cells, figure.Spread(figure.Of(samples[i], column.of), column.decimals))
		}
		r.cells(cells...)
	}
	own := len(contenders) - 1
	for k := range own {
		cells := []string{"", "**ratio** to " + contenders[k].name}
		for _, column := range columns() {
			own, others := figure.Of(samples[own], column.of), figure.Of(samples[k], column.of)
			if slices.Min(others) == 0 {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, ratios(figure.Pairwise(own, others)))
		}
		r.cells(cells...)
	}
}

func ratios(all []float64) string {
	return "**" + figure.Number(figure.Median(all), 2) + "** (" + figure.Number(slices.Min(all), 2) + "–" + figure.Number(slices.Max(all), 2) + ")"
}

func (r *report) beginPaces(p Plan) {
	r.printf("\nFrom a commit to the broker's confirm while %d connections insert orders with %d lines at a steady pace for %s, after %s of warm-up:\n\n",
		rig.Writers, linesOf, p.Duration, p.WarmUp)
	r.head("pace", "contender", "inserted, orders/s", "p50, ms", "p99, ms", "most, ms")
}

func (r *report) pace(pace int, contender string, f followed) {
	r.cells(fmt.Sprintf("%d orders/s", pace), contender, figure.Number(f.rate, 0), figure.Number(f.P50, 1), figure.Number(f.P99, 1), figure.Number(f.Max, 1))
}

func (r *report) beginFences(p Plan) {
	r.printf("Fences and messages alone by turns, one of each every %s once those before are answered, for %s without load, and for as long after %s of warm-up while %d connections change %s rows a second, one a transaction, each of an order with %d lines.\n\n",
		p.Every, p.Duration, p.WarmUp, rig.Writers, figure.Number(float64(p.Changes), 0), linesOf)
	r.head("queues", "changed, rows/s", "what", "times", "p50, ms", "p99, ms", "most, ms")
}

// keptUp is the part of the changes that were asked for from which on they count as made.
const keptUp = 0.98

// fences prints what was measured at a number of changes a second that were asked for.
func (r *report) fences(queues, changes int, t timed) {
	if t.rate < keptUp*float64(changes) {
		r.late = append(r.late, fmt.Sprintf("%s of %s rows a second (queues: %d)", figure.Number(t.rate, 0), figure.Number(float64(changes), 0), queues))
	}
	row := func(of, rate, what string, l rig.Latency) {
		r.cells(of, rate, what, figure.Number(float64(t.count), 0), figure.Number(l.P50, 1), figure.Number(l.P99, 1), figure.Number(l.Max, 1))
	}
	row(fmt.Sprint(queues), figure.Number(t.rate, 0), "message alone", t.alone)
	row("", "", "fence", t.fence)
	r.cells("", "", "**ratio**", "", "**"+figure.Number(t.fence.P50/t.alone.P50, 2)+"**", "**"+figure.Number(t.fence.P99/t.alone.P99, 2)+"**", "**"+figure.Number(t.fence.Max/t.alone.Max, 2)+"**")
}

func (r *report) endFences() {
	r.printf("\nA ratio is the fences' figure divided by that of the messages alone between them.\n")
	if len(r.late) > 0 {
		r.printf("The machine could NOT keep up: %s. What is measured there is how far the service was behind.\n", strings.Join(r.late, "; "))
	}
}
