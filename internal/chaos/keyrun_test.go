package chaos_test

import (
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"banyan.dev/banyan/internal/chaos"
)

// 1,000 orders at once under idempotency keys, half of them by two clients, through a shift, a database and a replica that
// are killed, and a rollback. Each client repeats its call until it is answered: none is lost, none doubled.
func TestKeysThroughFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it needs servers of its own")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asBanyan, "1")
	before := goleak.IgnoreCurrent()
	report, err := chaos.RunKeys(t.Context(), chaos.ShiftOptions{
		Command: []string{self}, Service: []string{self, asOrders}, Dir: t.TempDir(), Seed: *seed, Log: slog.New(slog.DiscardHandler),
	}, 1000)
	if report != nil {
		t.Log(report)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}
