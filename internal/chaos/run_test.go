package chaos_test

import (
	"bytes"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"banyan.dev/banyan/internal/chaos"
)

// What make chaos asks for.
var (
	seed    = flag.Uint64("chaos.seed", 1, "chooses the plan of faults and the load")
	length  = flag.Duration("chaos.length", 0, "how long faults come; 0: the short form of make test")
	rows    = flag.Int("chaos.rows", 0, "rows of the transaction at the end")
	dir     = flag.String("chaos.dir", "", "keeps the project and the logs; by default they are removed")
	verbose = flag.Bool("chaos.verbose", false, "tell each fault")
)

// shortLength and shortRows are the form of the run that make test has.
const (
	shortLength = 22 * time.Second
	shortRows   = 20_000
)

// mostMemory bounds what a process of Banyan may need, whatever the transaction: the mirror's 32 MiB, and the facade.
const mostMemory = 160 << 20

func TestChaos(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asBanyan, "1")
	options := chaos.Options{Command: []string{self}, Dir: *dir, Seed: *seed, Length: *length, Rows: *rows, Log: slog.New(slog.DiscardHandler)}
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	if *length == 0 {
		if testing.Short() {
			t.Skip("a minute of chaos is not short")
		}
		options.Length, options.Rows = shortLength, shortRows
	}
	if *verbose {
		options.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	before := goleak.IgnoreCurrent()
	report, err := chaos.Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", report)
	if err := report.Err(); err != nil {
		t.Error(err)
	}
	if report.Memory > mostMemory && !raced {
		t.Errorf("a process of Banyan needed %d MiB, more than %d", report.Memory>>20, mostMemory>>20)
	}
	for _, number := range []string{"0", "1"} {
		text, err := os.ReadFile(filepath.Join(options.Dir, "banyan-"+number+".log"))
		if err != nil {
			t.Error(err)
		}
		for _, sign := range []string{"DATA RACE", "\npanic: ", "\nfatal error: "} {
			if _, rest, found := bytes.Cut(text, []byte(sign)); found {
				t.Errorf("Banyan %s says%s%.3000s", number, sign, rest)
			}
		}
	}
	if slowest := max(report.AfterKill, report.AfterStop); slowest > 5*time.Second && !raced {
		t.Errorf("it took %s until another led", slowest)
	}
	goleak.VerifyNone(t, append(toxiproxys(), before)...)
}

// toxiproxys are goroutines of toxiproxy 2.5 that wait for ever when a connection was cut in the middle of a write.
func toxiproxys() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
		// Who changes toxics waits for such a one, and others for him.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).RemoveToxic"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).UpdateToxic"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicCollection).ResetToxics"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicCollection).AddToxicJson"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicCollection).StartLink"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*Proxy).Stop"),
	}
}
