package app_test

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// noLeaks fails the test when goroutines are left that its server started. It is called after devstack has started
// what all tests share.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		// A server that a test has restarted is watched by a new goroutine.
		goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("banyan.dev/banyan/internal/devstack.(*process).supervise"))
	})
}
