package mirror

import "time"

// beats measures lag: how long after it was written a heartbeat is read, or how long the oldest unread one has waited.
type beats struct {
	unread []written
	read   written       // the last one that was read, and when
	last   time.Duration // how long it took
	known  bool
}

type written struct {
	beat uint64
	at   time.Time
}

// mostUnread bounds the beats that are remembered. When reading is further behind, the newer ones among them go: the
// oldest unread one is what counts.
const mostUnread = 4096

// sent notes a beat, which may have been read before its writer was told.
func (b *beats) sent(beat uint64, at time.Time) {
	if beat <= b.read.beat {
		b.last, b.known = b.read.at.Sub(at), true
		return
	}
	if len(b.unread) < mostUnread {
		b.unread = append(b.unread, written{beat, at})
	}
}

// missed notes that no beat could be written: until the next one is read, nothing is known.
func (b *beats) missed() {
	b.unread, b.known, b.last = b.unread[:0], false, 0
}

func (b *beats) seen(beat uint64, now time.Time) {
	b.read = written{beat, now}
	n := 0
	for n < len(b.unread) && b.unread[n].beat <= beat {
		b.last, b.known = now.Sub(b.unread[n].at), true
		n++
	}
	b.unread = b.unread[:copy(b.unread, b.unread[n:])]
}

func (b *beats) lag(now time.Time) (lag time.Duration, known bool) {
	if len(b.unread) > 0 {
		if waited := now.Sub(b.unread[0].at); waited > b.last || !b.known {
			return waited, true
		}
	}
	return b.last, b.known
}

// rate measures confirms a second over the last few notes.
type rate struct {
	notes []noted
}

type noted struct {
	at    time.Time
	count uint64
}

const rateNotes = 6 // at one a second, the last five seconds

func (r *rate) note(at time.Time, count uint64) {
	if len(r.notes) == rateNotes {
		r.notes = r.notes[:copy(r.notes, r.notes[1:])]
	}
	r.notes = append(r.notes, noted{at, count})
}

func (r *rate) perSecond() float64 {
	if len(r.notes) < 2 {
		return 0
	}
	first, last := r.notes[0], r.notes[len(r.notes)-1]
	took := last.at.Sub(first.at).Seconds()
	if took <= 0 || last.count < first.count {
		return 0
	}
	return float64(last.count-first.count) / took
}
