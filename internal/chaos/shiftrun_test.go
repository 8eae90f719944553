package chaos_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"banyan.dev/banyan/internal/chaos"
	"banyan.dev/banyan/internal/chaos/boxes"
)

// asService makes this program be the new service.
const asService = "--be-the-new-service"

var calm = flag.Bool("chaos.calm", false, "shift without faults")

// serveBoxes is the new service.
func serveBoxes(args []string) int {
	f := flag.NewFlagSet("boxes", flag.ContinueOnError)
	o := boxes.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	f.StringVar(&o.Listen, "listen", "", "address")
	f.StringVar(&o.Database, "db", "", "path")
	f.StringVar(&o.Broker, "broker", "", "URL")
	f.DurationVar(&o.Delay, "delay", 0, "longest delay of answers")
	if err := f.Parse(args); err != nil {
		return 2
	}
	s, err := boxes.Open(context.Background(), o)
	if err == nil {
		err = s.Serve(context.Background())
	}
	if err != nil {
		o.Logger.Error("the service ended", "cause", err)
		return 1
	}
	return 0
}

// shortShift is the form of the shift run that make test has.
const shortShift = 20 * time.Second

func TestShifts(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asBanyan, "1")
	o := chaos.ShiftOptions{Command: []string{self}, Service: []string{self, asService}, Dir: *dir, Seed: *seed, Length: *length, Calm: *calm, Log: slog.New(slog.DiscardHandler)}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if *length == 0 {
		if testing.Short() {
			t.Skip("a minute of chaos is not short")
		}
		o.Length = shortShift
	}
	if *verbose {
		o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	before := goleak.IgnoreCurrent()
	report, err := chaos.RunShifts(t.Context(), o)
	if report != nil {
		t.Logf("%s", report)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if report.Acked == 0 || report.Shifts == 0 || report.Rollbacks == 0 {
		t.Error("nothing was shifted under load")
	}
	goleak.VerifyNone(t, before)
}
