package mirrorbench

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/bench/rig"
)

// The test binary is also what it starts as a contender.
func TestMain(m *testing.M) {
	if _, child := os.LookupEnv(ChildVariable); child {
		if err := Child(context.Background(), os.Stdin, os.Stdout); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func small() Plan {
	return Plan{
		Rows: 205, Transaction: 10, Rounds: 1, Kinds: kinds(),
		Paces: []Pace{{200, 10}}, WarmUp: 100 * time.Millisecond, Duration: 300 * time.Millisecond,
	}
}

// Every contender drains and follows, on every kind of queue, and what it has sent is in the queue.
func TestContenders(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database and a broker")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var text strings.Builder
	p := small()
	p.Profiles = t.TempDir()
	if err := Run(ctx, p, func(versions string) []string { return []string{"Versions: " + versions + "."} }, &text); err != nil {
		t.Fatalf("%v; printed:\n%s", err, text.String())
	}
	wants := []string{"MariaDB", "RabbitMQ", "| inserts | " + limited + " | ", "| updates | " + limited + " | ", "Measured at "}
	for _, kind := range kinds() {
		wants = append(wants, "| inserts, "+kind+" queue | ", "| updates, "+kind+" queue | ")
		for _, c := range following(kind) {
			wants = append(wants, "| 200 rows/s, 10 a transaction | "+kind+" | "+c.name+" | ")
		}
	}
	for _, want := range wants {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if profiles, err := filepath.Glob(filepath.Join(p.Profiles, "*.profile")); err != nil || len(profiles) != 2*(2*len(sending("quorum"))+len(sending(streamKind))) {
		t.Errorf("profiles: %v, %v", profiles, err)
	}
}

// What is wrong with a job is told, and a child doesn't outlive its parent.
func TestChild(t *testing.T) {
	run := func(j job) error {
		text, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		return Child(t.Context(), strings.NewReader(string(text)), io.Discard)
	}
	if err := run(job{Contender: "nobody"}); err == nil || !strings.Contains(err.Error(), `no contender is named "nobody"`) {
		t.Errorf("an unknown contender: %v", err)
	}
	nowhere := job{Contender: byHand, Server: canal.Server{Addr: "127.0.0.1:1"}, Broker: "amqp://127.0.0.1:1", Rows: 1, Dir: t.TempDir()}
	if err := run(nowhere); err == nil || !strings.Contains(err.Error(), "connect to the broker") {
		t.Errorf("no broker: %v", err)
	}
	if err := Child(t.Context(), strings.NewReader("{"), io.Discard); err == nil {
		t.Error("half a job was accepted")
	}
}

func TestReportComparesTheLastTwo(t *testing.T) {
	var text strings.Builder
	r := &report{out: &text}
	r.drains("inserts, quorum queue", []contender{{name: byHand}, {name: banyan}}, [][]drained{
		{{rate: 1000, cpu: 20, broker: 60, peak: 10}, {rate: 2000, cpu: 20, broker: 60, peak: 10}, {rate: 1000, cpu: 20, broker: 60, peak: 10}},
		{{rate: 900, cpu: 10, broker: 90, peak: 30}, {rate: 2000, cpu: 10, broker: 90, peak: 30}, {rate: 900, cpu: 10, broker: 90, peak: 30}},
	}, nil)
	r.drains("inserts, stream queue", []contender{{name: byHand}, {name: banyan}, {name: batched, streams: true}}, [][]drained{
		{{rate: 1000}}, {{rate: 2000}}, {{rate: 4000}},
	}, []drained{{rate: 10_000}})
	r.pace(Pace{5000, 10}, "stream", banyan, followed{Latency: rig.Latency{P99: 51}})
	r.pace(Pace{5000, 10}, "stream", byHand, followed{Latency: rig.Latency{P99: 99}})
	r.end()
	for _, want := range []string{
		"| inserts, quorum queue | by hand | 1,000 (1,000–2,000) | 20.0 (20.0–20.0) | 60.0 (60.0–60.0) | 10.0 (10.0–10.0) |",
		"|  | **ratio** to by hand | **0.90** (0.90–1.00) | **0.50** (0.50–0.50) | **1.50** (1.50–1.50) | **3.00** (3.00–3.00) |",
		"|  | **ratio** of Banyan, native, 100 an entry to by hand | **4.00** (4.00–4.00) |",
		"|  | **ratio** of Banyan, native, 100 an entry to decoding alone | **0.40** (0.40–0.40) |",
		"does NOT hold: inserts, quorum queue: 0.90 of the rows/s by hand; inserts, stream queue: 0.40 of the rows/s of decoding alone of Banyan, native, 100 an entry; 5000 rows/s, 10 a transaction, stream queue: p99 of 51.0 ms.",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestPlans(t *testing.T) {
	for text, want := range map[string]int{"none": 0, "1000x1,5000x10": 2} {
		if paces, err := parsePaces(text); err != nil || len(paces) != want {
			t.Errorf("%q: %v, %v", text, paces, err)
		}
	}
	if _, err := parsePaces("1000"); err == nil {
		t.Error("a pace without the rows a transaction was accepted")
	}
	for _, spoil := range []func(*Plan){
		func(p *Plan) { p.Rows = 0 }, func(p *Plan) { p.Kinds = []string{"lazy"} }, func(p *Plan) { p.Paces[0].Rate = 0 },
	} {
		p := small()
		spoil(&p)
		if p.check() == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
	if err := small().check(); err != nil {
		t.Error(err)
	}
}
