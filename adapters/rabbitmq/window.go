package rabbitmq

import (
	"sync"
	"time"
)

// window keeps account of what is sent and not confirmed, by the numbers that AMQP counts a channel's messages with, from
// 1. It may be used concurrently.
type window struct {
	mostBytes int
	start     time.Time // what moments are counted from

	mu    sync.Mutex
	ring  []unconfirmed // of message n: ring[n%len]
	sent  uint64
	safe  uint64 // all up to this one are confirmed
	open  int    // bytes not confirmed
	bytes uint64 // bytes sent

	// room has a token when something was confirmed that the sender may wait for.
	room chan struct{}
}

type unconfirmed struct {
	size int
	at   time.Duration
	done bool
}

func newWindow(most, mostBytes int) *window {
	return &window{mostBytes: mostBytes, start: time.Now(), ring: make([]unconfirmed, most), room: make(chan struct{}, 1)}
}

// enter counts a message, unless there is no room for it. What is alone has room.
func (w *window) enter(size int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	waiting := w.sent - w.safe
	if waiting >= uint64(len(w.ring)) || waiting > 0 && w.open+size > w.mostBytes {
		return false
	}
	w.sent++
	w.open += size
	w.bytes += uint64(size) //nolint:gosec // Never negative.
	w.ring[w.sent%uint64(len(w.ring))] = unconfirmed{size: size, at: time.Since(w.start)}
	return true
}

// confirm notes that a message, or all up to it, is safe. It says whether there is such a message.
func (w *window) confirm(tag uint64, multiple bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := uint64(len(w.ring))
	if tag == 0 && multiple {
		tag = w.sent // AMQP: all that there are.
	}
	if tag > w.sent {
		return false
	}
	if tag <= w.safe {
		return multiple
	}
	if !multiple {
		w.ring[tag%n].done = true
	}
	before := w.safe
	for w.safe < tag && multiple || w.safe < w.sent && w.ring[(w.safe+1)%n].done {
		w.safe++
		w.open -= w.ring[w.safe%n].size
	}
	if w.safe > before {
		select {
		case w.room <- struct{}{}:
		default:
		}
	}
	return true
}

// confirmEach notes that the messages of a stretch are safe, whatever is before them. It says whether there are such messages.
func (w *window) confirmEach(first, last uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first > last || last > w.sent {
		return false
	}
	n := uint64(len(w.ring))
	for tag := max(first, w.safe+1); tag <= last; tag++ {
		w.ring[tag%n].done = true
	}
	w.advance()
	return true
}

// advance moves the mark over all that is confirmed without a gap.
func (w *window) advance() {
	n, before := uint64(len(w.ring)), w.safe
	for w.safe < w.sent && w.ring[(w.safe+1)%n].done {
		w.safe++
		w.open -= w.ring[w.safe%n].size
	}
	if w.safe > before {
		select {
		case w.room <- struct{}{}:
		default:
		}
	}
}

// empty says whether all that was sent is confirmed.
func (w *window) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.safe == w.sent
}

func (w *window) confirmed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.safe
}

// account gives counts, and how long the first unconfirmed message has waited.
func (w *window) account() (sent, safe, bytes uint64, oldest time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.safe < w.sent {
		oldest = time.Since(w.start) - w.ring[(w.safe+1)%uint64(len(w.ring))].at
	}
	return w.sent, w.safe, w.bytes, oldest
}
