package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// KeyReport is what came of a key run.
type KeyReport struct {
	Writes, Calls, Answered int
	// Missing have no order though a client was told one; Twice have several. Differ are keys that were answered with
	// different orders, Refused those that no repetition could bring to an answer.
	Missing, Twice, Differ, Refused []string
	Took                            time.Duration
}

// Err says what must not have been.
func (r *KeyReport) Err() error {
	var out []error
	for what, list := range map[string][]string{"writes are lost": r.Missing, "writes are doubled": r.Twice, "keys were answered differently": r.Differ, "keys have no answer": r.Refused} {
		if len(list) > 0 {
			out = append(out, fmt.Errorf("%d %s: %v", len(list), what, list[:min(len(list), 5)]))
		}
	}
	if r.Answered != r.Calls {
		out = append(out, fmt.Errorf("%d of %d clients were answered", r.Answered, r.Calls))
	}
	return errors.Join(out...)
}

// String tells it for people.
func (r *KeyReport) String() string {
	return fmt.Sprintf("key run: %d writes by %d clients, %d answered in %s; %d lost, %d doubled, %d answered differently, %d without an answer",
		r.Writes, r.Calls, r.Answered, r.Took.Round(time.Millisecond), len(r.Missing), len(r.Twice), len(r.Differ), len(r.Refused))
}

// keyRun has clients place orders under idempotency keys.
type keyRun struct {
	*shiftRun
	shop     *shopSystem
	answered atomic.Int64
	// steps happen meanwhile. Each has begun before clients go on that are much behind its point.
	steps []keyStep

	mu     sync.Mutex
	orders map[string]int64 // by key
	report *KeyReport
}

// Clients back off between these, as any should: so many at once would else be all that there is to do.
const (
	firstBackoff = 200 * time.Millisecond
	lastBackoff  = 4 * time.Second
)

// keyStep is something that happens in the middle of a key run.
type keyStep struct {
	at    float64 // of the clients that are answered
	do    func() error
	begun chan struct{}
}

// RunKeys has so many orders placed at once, each under a key of its own and half of them by two clients, all of which
// repeat their call until it is answered, by either replica. Meanwhile the orders shift to the new service, the database is
// killed, a replica is killed, and the orders are rolled back.
func RunKeys(ctx context.Context, o ShiftOptions, writes int) (_ *KeyReport, err error) {
	shop := &shopSystem{promises: newPromises(), cancelled: map[int64]bool{}}
	o.System = shop
	r := &keyRun{
		shiftRun: &shiftRun{ShiftOptions: o, report: &ShiftReport{Seed: o.Seed}, random: rand.New(rand.NewPCG(o.Seed, 7))}, //nolint:gosec // it chooses nothing secret
		shop:     shop, orders: map[string]int64{}, report: &KeyReport{Writes: writes},
	}
	defer func() { err = errors.Join(err, r.end(ctx)) }()
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 12*time.Minute)
	defer cancel()
	r.plan(ctx)
	began := time.Now()
	var clients sync.WaitGroup
	for n := range writes {
		r.report.Calls += 1 + n%2
	}
	for n := range writes {
		for range 1 + n%2 {
			clients.Go(func() { r.client(ctx, fmt.Sprintf("chaos key %d", n), n) })
		}
	}
	err = r.between(ctx)
	if err != nil {
		cancel()
	}
	clients.Wait()
	r.report.Took = time.Since(began)
	if err != nil {
		return r.report, err
	}
	if err := r.settle(ctx); err != nil {
		return r.report, err
	}
	r.report.Answered = int(r.answered.Load())
	return r.report, r.count(ctx)
}

// plan says what happens while clients call.
func (r *keyRun) plan(ctx context.Context) {
	whole := context.WithoutCancel(ctx)
	command := func(what string, body map[string]any) func() error {
		return func() error {
			return poll(ctx, 100*time.Millisecond, func() error {
				out, err := r.command(ctx, 0, what, body)
				if err == nil && !out.Done {
					err = errors.New(out.Why)
				}
				return err
			})
		}
	}
	r.steps = []keyStep{
		{0.05, command("advance", map[string]any{"stage": "live"}), make(chan struct{})},
		{0.25, func() error { r.database.Kill(); return r.database.Restart(whole) }, make(chan struct{})},
		{0.45, func() error { r.replicas[1].kill(); return r.replicas[1].start() }, make(chan struct{})},
		{0.6, command("rollback", map[string]any{}), make(chan struct{})},
	}
}

// between does what happens while clients call, each thing at its point of the way.
func (r *keyRun) between(ctx context.Context) error {
	for _, step := range r.steps {
		err := poll(ctx, 2*time.Millisecond, func() error {
			return enoughAnswers(int(r.answered.Load()), int(step.at*float64(r.report.Calls)))
		})
		close(step.begun)
		if err == nil {
			err = step.do()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wait lets a client go on once what is due has begun.
func (r *keyRun) wait(ctx context.Context) {
	const slack = 0.1
	share := float64(r.answered.Load()) / float64(r.report.Calls)
	for _, step := range r.steps {
		if share < step.at+slack {
			return
		}
		select {
		case <-step.begun:
		case <-ctx.Done():
		}
	}
}

func enoughAnswers(got, want int) error {
	if got < want {
		return fmt.Errorf("%d of %d clients are answered", got, want)
	}
	return nil
}

// client repeats one call until it is answered.
func (r *keyRun) client(ctx context.Context, key string, n int) {
	body := fmt.Sprintf(`{"customerId": "%d", "shippingMethod": "SHIPPING_METHOD_STANDARD", "comment": %q,
		"shippingAddress": {"recipient": "A client", "street": "Weg 1", "postalCode": "10115", "city": "Berlin", "countryCode": "DE"}, "lines": [{"sku": %q, "quantity": 1}]}`,
		r.shop.buyers[n%len(r.shop.buyers)], key, r.shop.articles[n%len(r.shop.articles)])
	for wait := firstBackoff; ctx.Err() == nil; wait = min(2*wait, lastBackoff) {
		r.wait(ctx)
		b := r.replicas[rand.IntN(2)] //nolint:gosec // a choice of no weight
		code, answer, err := b.call(ctx, http.MethodPost, "http://"+b.rest+"/v2/orders:place", body, "Idempotency-Key", key)
		switch {
		case err == nil && code == http.StatusOK:
			r.told(key, answer)
			r.answered.Add(1)
			return
		case err == nil && (code < http.StatusInternalServerError && code != http.StatusTooManyRequests && code != http.StatusConflict):
			r.mu.Lock()
			r.report.Refused = append(r.report.Refused, fmt.Sprintf("%s: %d %s", key, code, answer))
			r.mu.Unlock()
			return
		}
		pause(ctx, wait/2+rand.N(wait)) //nolint:gosec // the same
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Refused = append(r.report.Refused, key+" until the end")
}

// told notes which order a key has made.
func (r *keyRun) told(key, answer string) {
	var order struct {
		ID int64 `json:"id,string"`
	}
	err := json.Unmarshal([]byte(answer), &order)
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.orders[key]
	switch {
	case err != nil || order.ID == 0:
		r.report.Differ = append(r.report.Differ, key+": "+answer)
	case known && before != order.ID:
		r.report.Differ = append(r.report.Differ, fmt.Sprintf("%s: %d and %d", key, before, order.ID))
	default:
		r.orders[key] = order.ID
	}
}

// count looks for the orders in legacy's table.
func (r *keyRun) count(ctx context.Context) error {
	rows, err := r.db.QueryContext(ctx, "SELECT orders_id, orders_comment FROM orders WHERE orders_comment LIKE 'chaos key %'")
	if err != nil {
		return fmt.Errorf("look for the clients' orders: %w", err)
	}
	defer rows.Close()
	there := map[string][]int64{}
	for rows.Next() {
		var id int64
		var key string
		if err := rows.Scan(&id, &key); err != nil {
			return fmt.Errorf("look for the clients' orders: %w", err)
		}
		there[key] = append(there[key], id)
	}
	for key, id := range r.orders {
		switch ids := there[key]; {
		case len(ids) == 0:
			r.report.Missing = append(r.report.Missing, key)
		case ids[0] != id:
			r.report.Differ = append(r.report.Differ, fmt.Sprintf("%s: told %d, and there is %d", key, id, ids[0]))
		}
	}
	for key, ids := range there {
		if len(ids) > 1 {
			r.report.Twice = append(r.report.Twice, fmt.Sprintf("%s × %d", key, len(ids)))
		}
	}
	return rows.Err()
}
