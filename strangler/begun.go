package strangler

import "sync"

// tracker knows the writes of a capability that are on their way, by the version of the flag that each was decided under.
//
// A write enters before it asks for its decision, or the time between would be one in which it is decided under an old
// flag and seen by nobody. Until it has a decision it counts under the version of the last decision that was made: flags
// only go forward, so that its own is not older.
type tracker struct {
	mu      sync.Mutex
	decided uint64
	counts  []count
}

// count is how many writes are on their way under one version. There are few versions at a time.
type count struct {
	version uint64
	n       int
}

// begun is one write in a tracker.
type begun struct {
	tracker *tracker
	version uint64
	gone    bool
}

// enter begins a write that is not decided yet.
func (t *tracker) enter() begun {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.add(t.decided, 1)
	return begun{tracker: t, version: t.decided}
}

// decide tells what the write was decided under.
func (b *begun) decide(version uint64) {
	t := b.tracker
	t.mu.Lock()
	defer t.mu.Unlock()
	t.decided = version
	if version == b.version {
		return
	}
	t.add(version, 1)
	t.add(b.version, -1)
	b.version = version
}

// leave says that the write is not on its way any more. Leaving twice is harmless.
func (b *begun) leave() {
	if b.gone {
		return
	}
	b.gone = true
	b.tracker.mu.Lock()
	defer b.tracker.mu.Unlock()
	b.tracker.add(b.version, -1)
}

// keep leaves the write in the tracker until release is called, whatever leave says.
func (b *begun) keep() (release func()) {
	kept := &begun{tracker: b.tracker, version: b.version, gone: b.gone}
	b.gone = true
	return kept.leave
}

// settled says whether no write that was decided under a version less than this is on its way.
func (t *tracker) settled(version uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.counts {
		if c.version < version {
			return false
		}
	}
	return true
}

// add counts; t.mu is held.
func (t *tracker) add(version uint64, n int) {
	for i := range t.counts {
		c := &t.counts[i]
		if c.version != version {
			continue
		}
		if c.n += n; c.n == 0 {
			last := len(t.counts) - 1
			t.counts[i] = t.counts[last]
			t.counts = t.counts[:last]
		}
		return
	}
	t.counts = append(t.counts, count{version, n})
}
