package mirror

import (
	"sync"

	"banyan.dev/banyan/mirror/change"
)

// marks says which position is safe once so many messages are confirmed. The reader adds, the saver asks.
type marks struct {
	mu   sync.Mutex
	list []mark
	safe change.Position // of marks that have left the list
	any  bool
}

// mark says that all before a position is in the first sent messages.
type mark struct {
	sent uint64
	at   change.Position
}

// add puts a mark behind the others. Transactions without messages of their own move the last mark on. What is confirmed
// leaves the list meanwhile, so that it is no longer than what is unconfirmed.
func (m *marks) add(sent uint64, at change.Position, confirmed func() uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.list); n > 0 && m.list[n-1].sent == sent {
		m.list[n-1].at = at
		return
	}
	if len(m.list) == cap(m.list) {
		m.take(confirmed())
	}
	m.list = append(m.list, mark{sent, at})
}

// confirmed gives the furthest safe position, if there is one.
func (m *marks) confirmed(count uint64) (change.Position, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(count)
	return m.safe, m.any
}

func (m *marks) take(count uint64) {
	n := 0
	for n < len(m.list) && m.list[n].sent <= count {
		n++
	}
	if n == 0 {
		return
	}
	m.safe, m.any = m.list[n-1].at, true
	m.list = m.list[:copy(m.list, m.list[n:])]
}
