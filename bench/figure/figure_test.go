package figure

import "testing"

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "999": 999, "1,000": 1000, "12,345": 12345, "1,234,567": 1234567} {
		if got := Number(v, 0); got != want {
			t.Errorf("%v: %q, want %q", v, got, want)
		}
	}
	if got := Number(1234.5678, 2); got != "1,234.57" {
		t.Errorf("%q", got)
	}
}

func TestSums(t *testing.T) {
	if got := Spread([]float64{3, 1, 2}, 0); got != "2 (1–3)" {
		t.Errorf("got %q", got)
	}
	if got := Median([]float64{4, 1, 2, 3}); got != 2.5 {
		t.Errorf("a median of %v, want 2.5", got)
	}
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for part, want := range map[float64]float64{0: 1, 0.5: 51, 0.99: 100, 1: 100} {
		if got := Quantile(hundred, part); got != want {
			t.Errorf("%v: got %v, want %v", part, got, want)
		}
	}
}
