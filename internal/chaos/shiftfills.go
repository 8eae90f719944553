package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// filling is a backfill, as the admin API has it.
type filling struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Note  string `json:"note"`
	Done  string `json:"done"`
}

func (f *filling) over() bool {
	return f.State == "done" || f.State == "failed" || f.State == "stopped"
}

// fills asks for backfills of the entity until ctx ends. Some race with shifts, some are stopped, and the rest are let end while
// nothing is shifted, whatever dies meanwhile.
func (r *shiftRun) fills(ctx context.Context) {
	random := rand.New(rand.NewPCG(r.Seed, 13)) //nolint:gosec // it chooses what to ask for
	for pause(ctx, time.Duration(2000+random.IntN(4000))*time.Millisecond); ctx.Err() == nil; pause(ctx, time.Duration(2000+random.IntN(6000))*time.Millisecond) {
		var err error
		switch rate := 20 + random.IntN(400); random.IntN(4) {
		case 0:
			err = r.race(ctx, random.IntN(2), rate)
		case 1:
			err = r.alone(ctx, rate, time.Duration(random.IntN(1500))*time.Millisecond)
		default:
			err = r.alone(ctx, rate, 10*time.Second)
		}
		r.Log.Debug("a backfill", "error", err)
	}
}

// race begins a backfill that the operator knows nothing of.
func (r *shiftRun) race(ctx context.Context, replica, rate int) error {
	f, err := r.fill(ctx, replica, rate)
	if err != nil {
		return err
	}
	return r.follow(ctx, f, 10*time.Second)
}

// alone rolls back, and keeps the operator from shifting until a backfill is over. After a while it is stopped.
func (r *shiftRun) alone(ctx context.Context, rate int, patience time.Duration) error {
	r.operating.Lock()
	defer r.operating.Unlock()
	waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var f filling
	if err := poll(waiting, 100*time.Millisecond, func() error {
		out, err := r.command(waiting, 0, "rollback", map[string]any{"reason": "a backfill"})
		if err != nil || !out.Done {
			return errors.Join(err, errors.New(out.Why))
		}
		f, err = r.fill(waiting, 1, rate)
		return err
	}); err != nil {
		return err
	}
	return r.follow(ctx, f, patience)
}

// follow waits until a backfill is over, and stops it after a while.
func (r *shiftRun) follow(ctx context.Context, f filling, patience time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := poll(waiting, 50*time.Millisecond, func() (err error) {
		if f, err = r.filling(waiting, http.MethodGet, "/"+f.ID, ""); err == nil && !f.over() {
			err = fmt.Errorf("the backfill %s is %s: %s", f.ID, f.State, f.Note)
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		f, err = r.filling(ctx, http.MethodPost, "/"+f.ID+":stop", "{}")
	}
	if err == nil {
		r.report.filled(f.State)
	}
	return err
}

// fill asks a replica for a backfill of the entity.
func (r *shiftRun) fill(ctx context.Context, replica, rate int) (filling, error) {
	var started struct {
		Backfills []filling `json:"backfills"`
	}
	body := fmt.Sprintf(`{"targets": [%q], "rate": %d, "maxLag": "60s"}`, r.System.entity(), rate)
	if err := r.administer(ctx, replica, http.MethodPost, "/backfills", body, &started); err != nil {
		return filling{}, err
	}
	if len(started.Backfills) != 1 {
		return filling{}, fmt.Errorf("%d backfills were begun, not one", len(started.Backfills))
	}
	r.report.filled("asked")
	return started.Backfills[0], nil
}

// filling asks any replica about a backfill.
func (r *shiftRun) filling(ctx context.Context, method, path, body string) (f filling, err error) {
	for replica := range r.replicas {
		if err = r.administer(ctx, replica, method, "/backfills"+path, body, &f); err == nil {
			return f, nil
		}
	}
	return f, err
}

// administer asks a replica's admin API.
func (r *shiftRun) administer(ctx context.Context, replica int, method, path, body string, into any) error {
	b := r.replicas[replica]
	code, answer, err := b.call(ctx, method, "http://"+b.admin+"/admin/v1"+path, body, "X-Banyan-Who", "chaos")
	if err != nil {
		return err
	}
	if code != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", method, path, code, answer)
	}
	if err := json.Unmarshal([]byte(answer), into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// refill takes entities away from the new service, which knows nothing of that, and has it filled again.
func (r *shiftRun) refill(ctx context.Context) error {
	taken, err := r.System.damage(ctx, r)
	if err != nil {
		return fmt.Errorf("damage the new service: %w", err)
	}
	if taken == 0 {
		return errors.New("the new service has nothing that could be taken away")
	}
	if r.System.compare(ctx, r) == nil {
		return fmt.Errorf("%d entities were taken from the new service, and nothing is missing", taken)
	}
	var f filling
	if err := poll(ctx, 200*time.Millisecond, func() (err error) { // one of before may be under way
		f, err = r.fill(ctx, 0, 0)
		return err
	}); err != nil {
		return err
	}
	return poll(ctx, 100*time.Millisecond, func() (err error) {
		switch f, err = r.filling(ctx, http.MethodGet, "/"+f.ID, ""); {
		case err != nil:
			return err
		case f.State == "done":
			r.report.filled(f.State)
			return nil
		case f.over():
			return fatal{fmt.Errorf("the last backfill is %s: %s", f.State, f.Note)}
		}
		return fmt.Errorf("the backfill %s is %s: %s", f.ID, f.State, f.Note)
	})
}
