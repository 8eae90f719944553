package servicebench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

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
		Orders: 250, Rounds: 1, Queues: 4, Paces: []int{50}, WarmUp: 100 * time.Millisecond, Duration: 300 * time.Millisecond,
		Layouts: []int{1, 4}, Changes: 50, Every: 20 * time.Millisecond,
	}
}

func newTestStage(t *testing.T) (*stage, context.Context) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a database and a broker")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	s, err := newStage(ctx, small())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return s, ctx
}

// take takes messages out of the queues until there is one of each of n orders. There may be more: of later stretches.
func (q queues) take(ctx context.Context, n int, use func(d amqp.Delivery) (id string, err error)) error {
	return q.do(func(c *amqp.Channel) error {
		all := make(chan amqp.Delivery)
		for _, name := range q.names() {
			of, err := c.ConsumeWithContext(ctx, name, "", true, false, false, false, nil)
			if err != nil {
				return err
			}
			go func() {
				for d := range of {
					select {
					case all <- d:
					case <-ctx.Done():
					}
				}
			}()
		}
		for ids := map[string]bool{}; len(ids) < n; {
			select {
			case d := <-all:
				id, err := use(d)
				if err != nil {
					return err
				}
				ids[id] = true
			case <-ctx.Done():
				return fmt.Errorf("there are messages of %d orders, want %d", len(ids), n)
			}
		}
		return nil
	})
}

// event is what all contenders tell alike.
type event struct {
	Entity, ID, Key string
	Deleted         bool
	Data            map[string]any
}

// told drains a stretch with each contender, and gives by its name the routing key and the event of each order.
func (s *stage) told(ctx context.Context, t *testing.T, at stretch, orders int) map[string]map[string]any {
	t.Helper()
	out := map[string]map[string]any{}
	for _, c := range contenders() {
		events := map[string]any{}
		err := s.queued(4, func(q queues) error {
			j := s.job(c.name)
			j.From, j.Events = at.from, uint64(orders)
			contender, err := j.start(ctx)
			if err != nil {
				return err
			}
			if _, err := contender.Outcome(); err != nil {
				return err
			}
			if err := q.await(ctx, orders); err != nil {
				return err
			}
			taking, stop := context.WithCancel(ctx)
			defer stop()
			return q.take(taking, orders, func(d amqp.Delivery) (string, error) {
				var e event
				if err := json.Unmarshal(d.Body, &e); err != nil {
					return "", fmt.Errorf("%s: %w", d.Body, err)
				}
				if d.DeliveryMode != amqp.Persistent {
					t.Errorf("%s: a message that a restart loses: %s", c.name, d.Body)
				}
				events[e.ID] = []any{d.RoutingKey, e}
				return e.ID, nil
			})
		})
		if err != nil {
			t.Fatalf("%s, %s: %v", at.name, c.name, err)
		}
		out[c.name] = events
	}
	return out
}

// All contenders tell the same of the same changes, and all of it.
func TestContendersTellTheSame(t *testing.T) {
	s, ctx := newTestStage(t)
	const orders = 250
	deleted := stretch{name: "an order with a line deleted"}
	var err error
	if deleted.from, err = s.source.Tail(ctx); err != nil {
		t.Fatal(err)
	}
	all := s.stretches
	for _, at := range append(all, deleted) {
		n := orders
		if at.name == deleted.name {
			n = 1
			if _, err := s.servers.DB.ExecContext(ctx, "USE "+schema+"; BEGIN; DELETE FROM order_lines WHERE order_id = 7; DELETE FROM orders WHERE id = 7; COMMIT"); err != nil {
				t.Fatal(err)
			}
		}
		told := s.told(ctx, t, at, n)
		for name, events := range told {
			if len(events) != n {
				t.Errorf("%s: %s told of %d orders, want %d", at.name, name, len(events), n)
			}
			for id, want := range told[banyan] {
				if !reflect.DeepEqual(events[id], want) {
					t.Fatalf("%s: of the order %s %s told %v, and %s %v", at.name, id, name, events[id], banyan, want)
				}
			}
		}
		for id, told := range told[banyan] {
			e := told.([]any)[1].(event)
			if lines, _ := e.Data["lines"].([]any); e.Deleted != (n == 1) || !e.Deleted && len(lines) != linesOf {
				t.Fatalf("%s: of the order %s this was told: %v", at.name, id, e)
			}
		}
	}
}

// Every contender can be measured, and what of a service is told.
func TestEntityReport(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database and a broker")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var text strings.Builder
	p := small()
	p.Profiles = t.TempDir()
	if err := RunEntities(ctx, p, func(versions string) []string { return []string{"Versions: " + versions + "."} }, &text); err != nil {
		t.Fatalf("%v; printed:\n%s", err, text.String())
	}
	t.Log(text.String())
	wants := []string{"MariaDB", "RabbitMQ", "Measured at "}
	for _, at := range stretches() {
		wants = append(wants, "| "+at.name+" | "+byHand+" | ")
	}
	for _, c := range contenders() {
		wants = append(wants, "| 50 orders/s | "+c.name+" | ")
	}
	for _, want := range wants {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if profiles, err := os.ReadDir(p.Profiles); err != nil || len(profiles) != len(contenders())*len(stretches()) {
		t.Errorf("profiles: %v, %v", profiles, err)
	}
}

// Fences of one queue and of four are answered, without load and with it, and the service then has what legacy has.
func TestFenceReport(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a database, a broker, a service and Banyan")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var text strings.Builder
	if err := RunFences(ctx, small(), func(versions string) []string { return []string{"Versions: " + versions + "."} }, &text); err != nil {
		t.Fatalf("%v; printed:\n%s", err, text.String())
	}
	t.Log(text.String())
	for _, want := range []string{"| 1 | 0 | message alone | ", "| 4 | 0 | message alone | ", "|  |  | fence | ", "Measured at "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

// What is wrong with a job is told.
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
	nowhere := job{Contender: byHand, Server: canal.Server{Addr: "127.0.0.1:1"}, DSN: "u@tcp(127.0.0.1:1)/x", Broker: "amqp://127.0.0.1:1", Events: 1, Dir: t.TempDir()}
	if err := run(nowhere); err == nil || !strings.Contains(err.Error(), "connect to the broker") {
		t.Errorf("no broker: %v", err)
	}
}

func TestReportComparesTheLast(t *testing.T) {
	var text strings.Builder
	r := &report{out: &text}
	r.drains("one line changed", contenders(), [][]drained{
		{{rate: 1000, cpu: 20}, {rate: 1000, cpu: 20}, {rate: 1000, cpu: 20}},
		{{rate: 2000, cpu: 10}, {rate: 1000, cpu: 10}, {rate: 1000, cpu: 10}},
		{{rate: 1500, cpu: 5}, {rate: 1500, cpu: 5}, {rate: 3000, cpu: 5}},
	})
	r.fences(1, 0, timed{fence: rig.Latency{P50: 6, P99: 9, Max: 10}, alone: rig.Latency{P50: 3, P99: 6, Max: 8}})
	r.fences(2, 1000, timed{rate: 870, fence: rig.Latency{P50: 6, P99: 9, Max: 10}, alone: rig.Latency{P50: 3, P99: 6, Max: 8}})
	r.fences(4, 1000, timed{rate: 1000, count: 30, fence: rig.Latency{P50: 6, P99: 9, Max: 10}, alone: rig.Latency{P50: 3, P99: 6, Max: 8}})
	r.endFences()
	for _, want := range []string{
		"| one line changed | by hand, one by one | 1,000 (1,000–1,000) | 20 (20–20) | ",
		"|  | **ratio** to by hand, one by one | **1.50** (1.50–3.00) | **0.25** (0.25–0.25) | – | ",
		"|  | **ratio** to by hand, 200 at once | **1.50** (0.75–3.00) | **0.50** (0.50–0.50) | – | ",
		"| 4 | 1,000 | message alone | 30 | 3.0 | 6.0 | 8.0 |",
		"|  |  | **ratio** |  | **2.00** | **1.50** | **1.25** |",
		"could NOT keep up: 870 of 1,000 rows a second (queues: 2). ",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestPlans(t *testing.T) {
	for _, spoil := range []func(*Plan){
		func(p *Plan) { p.Orders = 0 }, func(p *Plan) { p.Queues = 3 }, func(p *Plan) { p.Paces = []int{0} }, func(p *Plan) { p.Layouts = []int{5} }, func(p *Plan) { p.Every = 0 },
	} {
		p := small()
		spoil(&p)
		if p.check() == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
	for _, p := range []Plan{small(), Quick(), Full()} {
		if err := p.check(); err != nil {
			t.Error(err)
		}
	}
}
