package chaos_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"banyan.dev/banyan/examples/shop/orders"
	"banyan.dev/banyan/internal/chaos"
	"banyan.dev/banyan/internal/chaos/boxes"
)

// asBoxes and asOrders make this program be a new service.
const (
	asBoxes  = "--be-the-boxes"
	asOrders = "--be-the-orders"
)

var calm = flag.Bool("chaos.calm", false, "shift without faults")

// untilAsked gives a context that ends when somebody asks this process to.
func untilAsked() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM)
}

// serveBoxes is the new service.
func serveBoxes(args []string) int {
	f := flag.NewFlagSet("boxes", flag.ContinueOnError)
	o := boxes.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	f.StringVar(&o.Listen, "listen", "", "address")
	f.StringVar(&o.Database, "db", "", "path")
	f.StringVar(&o.Broker, "broker", "", "URL")
	f.IntVar(&o.Queues, "queues", 1, "how many queues")
	f.DurationVar(&o.Delay, "delay", 0, "longest delay of answers")
	ill := f.String("ill", "", "file that says what can't be applied")
	if err := f.Parse(args); err != nil {
		return 2
	}
	o.Refuse = chaos.Refuse(*ill)
	ctx, stop := untilAsked()
	defer stop()
	s, err := boxes.Open(ctx, o)
	if err == nil {
		err = errors.Join(s.Serve(ctx), s.Close())
	}
	if err != nil && ctx.Err() == nil {
		o.Logger.Error("the service ended", "cause", err)
		return 1
	}
	return 0
}

// shortShift is the form of the shift run that make test has.
const shortShift = 15 * time.Second

// serveOrders is the example's.
func serveOrders(args []string) int {
	f := flag.NewFlagSet("orders", flag.ContinueOnError)
	o := orders.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	f.StringVar(&o.Listen, "listen", "", "address")
	f.StringVar(&o.Database, "db", "", "path")
	f.StringVar(&o.Broker, "broker", "", "URL")
	facade := f.String("banyan", "", "addresses")
	taxes := f.String("taxes", "", "file")
	ill := f.String("ill", "", "file that says what can't be applied")
	if err := f.Parse(args); err != nil {
		return 2
	}
	o.Facade, o.Refuse = strings.Split(*facade, ","), chaos.Refuse(*ill)
	text, err := os.ReadFile(*taxes)
	if err == nil {
		o.Config, err = orders.DefaultConfig()
	}
	if err == nil {
		err = o.Config.AddTaxes(text)
	}
	if err == nil {
		var s *orders.Service
		ctx, stop := untilAsked()
		defer stop()
		if s, err = orders.Open(ctx, o); err == nil {
			err = errors.Join(s.Serve(ctx), s.Close())
		}
	}
	if err != nil {
		o.Logger.Error("the service ended", "cause", err)
		return 1
	}
	return 0
}

func TestShifts(t *testing.T) {
	t.Run("boxes", func(t *testing.T) { shift(t, chaos.Boxes(), asBoxes) })
	t.Run("shop", func(t *testing.T) { shift(t, chaos.Shop(), asOrders) })
}

func shift(t *testing.T, system chaos.System, service string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asBanyan, "1")
	o := chaos.ShiftOptions{Command: []string{self}, Service: []string{self, service}, System: system, Seed: *seed, Length: *length, Calm: *calm, Log: slog.New(slog.DiscardHandler)}
	if o.Dir = t.TempDir(); *dir != "" {
		o.Dir = filepath.Join(*dir, filepath.Base(t.Name()))
		if err := os.MkdirAll(o.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
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
	goleak.VerifyNone(t, before)
}
