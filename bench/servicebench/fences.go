package servicebench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"banyan.dev/banyan/bench/rig"
)

// timed is what was measured of fences, and of messages alone in between.
type timed struct {
	rate         float64 // rows a second, as changed
	fence, alone rig.Latency
	count        int // of each
}

// fence sends a fence as `banyan mirror fence` does, and gives how long it took from before it was written to its answer.
func (y *system) fence(ctx context.Context) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+y.admin+"/admin/v1/services/"+service+":fence", strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("ask for a fence: %w", err)
	}
	defer reply.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, fmt.Errorf("ask for a fence: %w", err)
	}
	var said struct {
		Took   string
		Parked []string
	}
	if err := json.Unmarshal(text, &said); err != nil || reply.StatusCode != http.StatusOK || len(said.Parked) > 0 {
		return 0, fmt.Errorf("a fence gave %s %s: %w", reply.Status, text, errors.Join(err, errors.New("no plain answer")))
	}
	return time.ParseDuration(said.Took)
}

// fences times fences of a service with some queues, without load, then with it.
func (s *stage) fences(ctx context.Context, p Plan, queues int) (idle, loaded timed, err error) {
	y, err := s.startSystem(ctx, s.queues(queues))
	if err != nil {
		return idle, loaded, err
	}
	defer func() { err = errors.Join(err, y.stop()) }()
	if _, err := y.fence(ctx); err != nil { // until all have connected to everything
		return idle, loaded, err
	}
	resting, rested := context.WithTimeout(ctx, p.Duration)
	defer rested()
	if idle, err = s.sample(ctx, resting, y, p); err != nil {
		return idle, loaded, err
	}
	changing, done := context.WithCancel(ctx)
	var rate float64
	var failed error
	var writer sync.WaitGroup
	writer.Go(func() {
		defer done()
		rate, failed = s.change(ctx, p)
	})
	if err = rig.Sleep(ctx, p.WarmUp); err == nil {
		loaded, err = s.sample(ctx, changing, y, p)
	}
	writer.Wait()
	if err := errors.Join(failed, err); err != nil {
		return idle, loaded, err
	}
	loaded.rate = rate
	if _, err := y.fence(ctx); err != nil { // behind all
		return idle, loaded, err
	}
	return idle, loaded, s.compare(ctx, queues, min(p.Orders, int((p.WarmUp+p.Duration).Seconds()*float64(p.Changes))))
}

// change changes lines of orders, one a transaction and each of another order, and gives how many a second it came to.
func (s *stage) change(ctx context.Context, p Plan) (rate float64, err error) {
	n := max(1, int((p.WarmUp+p.Duration).Seconds()*float64(p.Changes)))
	_, took, err := rig.Pace{
		DB: s.servers.DB, Schema: schema, Transactions: n, Gap: time.Second / time.Duration(p.Changes),
		Text: func(i int) string { return string(appendUpdateLine(nil, 1+i%p.Orders)) },
	}.Write(ctx)
	return float64(n) / took.Seconds(), err
}

// sample times fences and messages alone, by turns, and begins none once during has ended.
func (s *stage) sample(ctx, during context.Context, y *system, p Plan) (t timed, err error) {
	plain, err := newAlone(y.queues.broker)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, plain.close()) }()
	ways := []func(context.Context) (time.Duration, error){y.fence, plain.time}
	took := make([][]float64, len(ways))
	for at := time.Now(); ; at = at.Add(max(p.Every, time.Since(at))) {
		for i, way := range ways {
			ended := rig.Sleep(during, time.Until(at.Add(time.Duration(i)*p.Every/2))) != nil
			if err := ctx.Err(); err != nil {
				return t, err
			}
			if ended && len(took[i]) > 0 {
				return timed{fence: rig.LatencyOf(took[0]), alone: rig.LatencyOf(took[1]), count: len(took[1])}, nil
			}
			d, err := way(ctx)
			if err != nil {
				return t, err
			}
			took[i] = append(took[i], d.Seconds()*1000)
		}
	}
}
