package rabbitmq

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever order the broker confirms in, one by one or many at once, the count has no gap and no more than was confirmed.
func TestWindowCountsWithoutAGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most, mostBytes := rapid.IntRange(1, 8).Draw(t, "most"), rapid.IntRange(1, 40).Draw(t, "bytes")
		w := newWindow(most, mostBytes)
		var sizes []int
		done := map[int]bool{}
		safe := func() int {
			n := 0
			for done[n+1] {
				n++
			}
			return n
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			before := safe()
			if rapid.Bool().Draw(t, "send") {
				size, open := rapid.IntRange(0, 20).Draw(t, "size"), 0
				for _, s := range sizes[before:] {
					open += s
				}
				waiting := len(sizes) - before
				want := waiting < most && (waiting == 0 || open+size <= mostBytes)
				if got := w.enter(size); got != want {
					t.Fatalf("entered: %v, want %v", got, want)
				} else if got {
					sizes = append(sizes, size)
				}
			} else {
				tag, multiple := rapid.IntRange(0, len(sizes)+1).Draw(t, "tag"), rapid.Bool().Draw(t, "multiple")
				ok := w.confirm(uint64(tag), multiple)
				if tag == 0 && multiple {
					tag = len(sizes)
				}
				if tag > len(sizes) {
					if ok {
						t.Fatalf("a message that was not sent is confirmed: %d", tag)
					}
					continue
				}
				for n := tag; n > 0 && (multiple || n == tag); n-- {
					done[n] = true
				}
			}
			if got := int(w.confirmed()); got != safe() {
				t.Fatalf("%d are confirmed, want %d", got, safe())
			}
			if w.empty() != (safe() == len(sizes)) {
				t.Fatal("empty is wrong")
			}
		}
	})
}
