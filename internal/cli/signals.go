package cli

import (
	"context"
	"os"
)

// stop gives a context that the first signal ends, and a channel that the second closes. release ends the listening.
func (s System) stop(parent context.Context) (ctx context.Context, abort <-chan struct{}, release func()) {
	ctx, cancel := context.WithCancel(parent)
	aborted, over, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for _, act := range []func(){cancel, func() { close(aborted) }} {
			select {
			case <-s.Signals:
				act()
			case <-over:
				return
			}
		}
		drop(s.Signals, over)
	}()
	return ctx, aborted, func() { close(over); <-done; cancel() }
}

// drop takes signals that say nothing new.
func drop(signals <-chan os.Signal, over <-chan struct{}) {
	for {
		select {
		case <-signals:
		case <-over:
			return
		}
	}
}
