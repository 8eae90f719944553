package chaos_test

import (
	"slices"
	"testing"
	"time"

	"banyan.dev/banyan/internal/chaos"
)

func TestSeedRepeatsThePlan(t *testing.T) {
	one, two, other := chaos.Plan(7, time.Minute), chaos.Plan(7, time.Minute), chaos.Plan(8, time.Minute)
	if !slices.Equal(one, two) {
		t.Error("the same seed gives two plans")
	}
	if slices.Equal(one, other) {
		t.Error("two seeds give the same plan")
	}
	for _, kind := range chaos.Kinds() {
		if !slices.ContainsFunc(one, func(f chaos.Fault) bool { return f.Kind == kind }) {
			t.Errorf("a minute's plan does not %s", kind)
		}
	}
	if !slices.IsSortedFunc(one, func(a, b chaos.Fault) int { return int(a.At - b.At) }) {
		t.Error("the plan is not in order")
	}
	if longer := chaos.Plan(7, 2*time.Minute); !slices.Equal(one, longer[:len(one)]) {
		t.Error("a longer run begins with another plan")
	}
}
