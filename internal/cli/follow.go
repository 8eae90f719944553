package cli

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	adminv1 "banyan.dev/banyan/proto/banyan/admin/v1"
)

// followEvery is the time between two looks at a shift that is waited for.
const followEvery = 150 * time.Millisecond

// follow says what a shift waits for, a line for each new thing, until done is called. It begins to look after a moment,
// since most shifts are over by then.
func follow(ctx context.Context, w io.Writer, ask func(context.Context) (*adminv1.CapabilityStatus, error)) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	begun := time.Now()
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		last := ""
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			told, err := ask(ctx)
			if err != nil || told.GetShift() == "" { // the answer to the command says what is wrong
				continue
			}
			if line := printable(fmt.Sprintf("%s, version %d: %s", told.GetPhase(), told.GetVersion(), told.GetShift())); line != last && ctx.Err() == nil {
				last = line
				fmt.Fprintf(w, "  %5.1f s  %s\n", time.Since(begun).Seconds(), line)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
