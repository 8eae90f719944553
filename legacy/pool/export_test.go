package pool

import "time"

// Age makes the idle connections look unused for longer.
func Age(p *Pool, by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.idle {
		s.idleSince = s.idleSince.Add(-by)
	}
}
