package chaos_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"testing"

	"banyan.dev/banyan/internal/cli"
)

// asBanyan makes this program be banyan.
const asBanyan = "BANYAN_CHAOS_CHILD"

// TestMain is banyan itself in the processes that runs start: with the race detector, where the tests have it.
func TestMain(m *testing.M) {
	if os.Getenv(asBanyan) == "" {
		os.Exit(m.Run())
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the test does, however that was
		os.Exit(3)
	}()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case asBoxes:
			os.Exit(serveBoxes(os.Args[2:]))
		case asOrders:
			os.Exit(serveOrders(os.Args[2:]))
		}
	}
	os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Process("v0.0.0-chaos")))
}

// counter counts, for many goroutines.
type counter struct{ n atomic.Uint64 }

func (c *counter) add()        { c.n.Add(1) }
func (c *counter) get() uint64 { return c.n.Load() }

func atLeast(got, want int) error {
	if got < want {
		return fmt.Errorf("%d of %d", got, want)
	}
	return nil
}
