package volume_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"banyan.dev/banyan/internal/cli"
)

// The sizes. What make test takes is the default.
var (
	manyOrders = flag.Int("volume.orders", 3_000, "orders that one transaction changes (make volume: 100,000)")
	hotFor     = flag.Duration("volume.hot", 2*time.Second, "how long one order is changed without a pause (make volume: 1m)")
	behind     = flag.Int("volume.behind", 3_000, "events that the service is behind (make volume: 1,000,000)")
	largeOrder = flag.Int("volume.large", 4, "orders of 5 MB (make volume: 100)")
)

// childVariable makes this program be banyan, or the service, for the tests that start it.
const childVariable = "BANYAN_VOLUME_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		flag.Parse()
		os.Exit(m.Run())
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends when the test does, however that was
		os.Exit(3)
	}()
	if len(os.Args) > 1 && os.Args[1] == asService {
		if err := serve(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Process("v0.0.0-volume")))
}
