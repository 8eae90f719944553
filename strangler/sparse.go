package strangler

import (
	"log/slog"
	"sync"
	"time"
)

// sparse logs at most one line a second, and says how many it has left out.
type sparse struct {
	logger *slog.Logger

	mu   sync.Mutex
	last time.Time
	left uint64
}

func (s *sparse) warn(what string, about ...any) {
	s.mu.Lock()
	now := time.Now()
	if !s.last.IsZero() && now.Sub(s.last) < time.Second {
		s.left++
		s.mu.Unlock()
		return
	}
	left := s.left
	s.last, s.left = now, 0
	s.mu.Unlock()
	if left > 0 {
		about = append(about, slog.Uint64("left_out", left))
	}
	s.logger.Warn(what, about...)
}
