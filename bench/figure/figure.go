// Package figure sums measurements up, and writes numbers for reports.
package figure

import (
	"fmt"
	"slices"
	"strings"
)

// Median gives the middle of all, which must not be empty.
func Median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Quantile gives what a part of sorted, from 0 to 1, does not exceed. sorted must not be empty.
func Quantile(sorted []float64, part float64) float64 {
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}

// Of takes one figure of each sample.
func Of[S any](samples []S, figure func(S) float64) []float64 {
	out := make([]float64, len(samples))
	for i, s := range samples {
		out[i] = figure(s)
	}
	return out
}

// Pairwise divides each of a by its neighbour in b.
func Pairwise(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}

// Spread gives the median, and the least and the most.
func Spread(all []float64, decimals int) string {
	return fmt.Sprintf("%s (%s–%s)", Number(Median(all), decimals), Number(slices.Min(all), decimals), Number(slices.Max(all), decimals))
}

// Number writes thousands apart.
func Number(v float64, decimals int) string {
	text := fmt.Sprintf("%.*f", decimals, v)
	whole, _, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
