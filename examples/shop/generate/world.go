package generate

import (
	"math/rand/v2"
	"strings"
	"time"
)

// world makes each thing from the seed and its number alone, so that an order can ask for its customer without a look
// into the database.
type world struct {
	Options
}

// kind keeps the random numbers of one kind of thing apart from those of others.
type kind uint64

const (
	ofCustomer kind = iota + 1
	ofProduct
	ofOrder
	ofReview
	ofLeftover
)

// dice gives the random numbers of one thing.
func (w *world) dice(k kind, n int) dice {
	return dice{rand.New(rand.NewPCG(w.Seed^uint64(k)<<56, uint64(n)))} //nolint:gosec // Example data, not secrets.
}

type dice struct{ *rand.Rand }

// percent tells true in p of a hundred cases.
func (d dice) percent(p int) bool { return d.IntN(100) < p }

// between gives a number from low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

// time gives a second from low on, before high.
func (d dice) time(low, high time.Time) time.Time {
	span := int64(high.Sub(low) / time.Second)
	if span <= 0 {
		return low
	}
	return low.Add(time.Duration(d.Int64N(span)) * time.Second)
}

// digits gives n decimal digits.
func (d dice) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + d.IntN(10))
	}
	return string(b)
}

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

// escape does what the shop's clean() did before it stored a text: PHP's htmlspecialchars of that time, which leaves
// single quotes alone.
func escape(s string) string {
	if !strings.ContainsAny(s, "&<>\"") {
		return s
	}
	s = strings.ReplaceAll(s, "&", "&amp;")
	s = strings.ReplaceAll(s, "<", "&lt;")
	s = strings.ReplaceAll(s, ">", "&gt;")
	return strings.ReplaceAll(s, `"`, "&quot;")
}

// yes gives one of two texts: the shop has several ways to write a truth.
func yes(b bool, y, n string) string {
	if b {
		return y
	}
	return n
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
