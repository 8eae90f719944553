package chaos

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// promises are what clients were told of their writes, each of which has a name of its own.
type promises struct {
	mu sync.Mutex
	// acked are the names of those that were acknowledged, by what they were made to; refused those of which a client was
	// told that nothing had happened.
	acked   map[string][]string
	refused map[string]bool
}

func newPromises() *promises {
	return &promises{acked: map[string][]string{}, refused: map[string]bool{}}
}

// promised is what a client was told.
type promised int

const (
	nothingSaid promised = iota // or that it is not known
	itIsDone
	itIsNot
)

// heard says what an answer promises. reasons are those that say that nothing has happened, besides Banyan's own.
func heard(code int, answer string, err error, reasons ...string) promised {
	switch {
	case err != nil:
		return nothingSaid
	case code == http.StatusOK:
		return itIsDone
	case slices.ContainsFunc(append(reasons, "HELD", "NO_LEASE", "WRITES_FENCED"), func(reason string) bool { return strings.Contains(answer, `"`+reason+`"`) }):
		return itIsNot
	default:
		return nothingSaid
	}
}

func (p *promises) note(to, name string, what promised) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what {
	case itIsDone:
		p.acked[to] = append(p.acked[to], name)
	case itIsNot:
		p.refused[name] = true
	}
}

// before gives what was acknowledged up to now.
func (p *promises) before(to string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.acked[to])
}

// judge holds how often each write is there to what clients were told.
func (p *promises) judge(r *ShiftReport, there map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.set(func() {
		r.Refused = len(p.refused)
		for _, names := range p.acked {
			for _, name := range names {
				if there[name] == 0 {
					r.Lost = append(r.Lost, name)
				}
			}
		}
		for name, n := range there {
			if p.refused[name] {
				r.Revived = append(r.Revived, name)
			}
			if n > 1 {
				r.Doubled = append(r.Doubled, name+" × "+strconv.Itoa(n))
			}
		}
	})
}
