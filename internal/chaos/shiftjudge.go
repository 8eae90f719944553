package chaos

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the new service's database

	"banyan.dev/banyan/internal/chaos/boxes"
)

const (
	stopSignal = syscall.SIGSTOP
	goOnSignal = syscall.SIGCONT
)

// judge knows what clients were told, and holds both sides to it.
type judge struct {
	mu sync.Mutex
	// acked and unknown are the names of things by box: those that were acknowledged, and those of which nobody was told.
	acked, unknown map[int64]map[string]bool
	// refused are those of which a client was told that nothing had happened.
	refused map[string]bool
}

func newJudge() *judge {
	return &judge{acked: map[int64]map[string]bool{}, unknown: map[int64]map[string]bool{}, refused: map[string]bool{}}
}

func (j *judge) note(box int64, thing string, code int, answer string, err error) (known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	into := j.unknown
	switch {
	case err == nil && code == http.StatusOK:
		into = j.acked
	case err == nil && slices.ContainsFunc([]string{`"HELD"`, `"NO_LEASE"`, `"WRITES_FENCED"`}, func(reason string) bool { return strings.Contains(answer, reason) }):
		j.refused[thing] = true
		return true
	}
	if into[box] == nil {
		into[box] = map[string]bool{}
	}
	into[box][thing] = true
	return code == http.StatusOK
}

// before gives the things of a box that were acknowledged up to now.
func (j *judge) before(box int64) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []string
	for thing := range j.acked[box] {
		out = append(out, thing)
	}
	return out
}

// client puts things into boxes and looks into them, through both replicas.
func (r *shiftRun) client(ctx context.Context, n int) {
	random := rand.New(rand.NewPCG(r.Seed, uint64(100+n))) //nolint:gosec // it chooses boxes
	whole := context.WithoutCancel(ctx)
	for i := 0; ctx.Err() == nil; i++ {
		box, b := int64(1+random.IntN(mostBoxes)), r.replicas[random.IntN(2)]
		if random.IntN(3) == 0 {
			before := r.judge.before(box)
			code, answer, err := b.call(whole, http.MethodGet, fmt.Sprintf("http://%s/v1/boxes/%d", b.rest, box), "")
			r.report.read(missing(before, code, answer, err))
			continue
		}
		thing := fmt.Sprintf("%d-%d", n, i)
		began := time.Now()
		code, answer, err := b.call(whole, http.MethodPost, fmt.Sprintf("http://%s/v1/boxes/%d:put", b.rest, box), `{"thing": "`+thing+`"}`)
		known := r.judge.note(box, thing, code, answer, err)
		r.report.write(code, err, time.Since(began))
		if !known {
			sleep(ctx, 50*time.Millisecond) // who answers nothing is down
		}
	}
}

// missing says which things a read should have given and did not; it is empty when there was no answer.
func missing(before []string, code int, answer string, err error) (what string, ok bool) {
	if err != nil || code != http.StatusOK {
		return "", false
	}
	var box struct {
		Things []string `json:"things"`
	}
	if err := json.Unmarshal([]byte(answer), &box); err != nil {
		return "no JSON: " + answer, true
	}
	have := map[string]bool{}
	for _, thing := range box.Things {
		have[thing] = true
	}
	for _, thing := range before {
		if !have[thing] {
			return fmt.Sprintf("a read has not %s, which was acknowledged before it began", thing), true
		}
	}
	return "", true
}

// settle rolls back, waits until both sides are equal, and judges.
func (r *shiftRun) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := r.ready(ctx); err != nil {
		return err
	}
	if err := poll(ctx, 200*time.Millisecond, func() error {
		out, err := r.command(ctx, 0, "rollback", map[string]any{"reason": "the run is over"})
		if err == nil && !out.Done {
			err = errors.New(out.Why)
		}
		return err
	}); err != nil {
		return fmt.Errorf("the last rollback: %w", err)
	}
	modern, err := sql.Open("sqlite", "file:"+r.store+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return fmt.Errorf("look into the new service: %w", err)
	}
	defer modern.Close() //nolint:errcheck // it was read only
	var legacy map[int64][]string
	if err := poll(ctx, 200*time.Millisecond, func() error {
		if err := r.idle(ctx); err != nil {
			return err
		}
		if legacy, err = boxes.Contents(ctx, r.db); err != nil {
			return err
		}
		theirs, err := boxes.Contents(ctx, modern)
		if err != nil {
			return err
		}
		for box, things := range legacy {
			if !slices.Equal(things, theirs[box]) {
				return fmt.Errorf("box %d differs: legacy has %d things, the new service %d", box, len(things), len(theirs[box]))
			}
		}
		if len(legacy) != len(theirs) {
			return fmt.Errorf("legacy has %d boxes, the new service %d", len(legacy), len(theirs))
		}
		return nil
	}); err != nil {
		return fmt.Errorf("the sides don't become equal: %w", err)
	}
	r.report.judge(r.judge, legacy)
	return nil
}

// idle says whether no write is open any more.
func (r *shiftRun) idle(ctx context.Context) error {
	var n int
	if err := r.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM banyan.writes WHERE state = 'open'").Scan(&n); err != nil {
		return fmt.Errorf("count open writes: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("%d writes are open", n)
	}
	return nil
}

// ShiftReport is what came of a shift run.
type ShiftReport struct {
	Seed uint64

	mu sync.Mutex
	// Acked, Failed and Refused count writes; Reads those that were answered.
	Acked, Failed, Refused, Reads, Old int
	// Stale, Lost and Doubled say what must not be.
	Stale, Lost, Doubled, Revived []string
	Faults                        map[string]int
	Shifts, Rollbacks, Backs      int
	Voided                        int
	rollbacks, pauses, writes     []time.Duration
}

func (r *ShiftReport) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *ShiftReport) old() { r.set(func() { r.Old++ }) }

func (r *ShiftReport) fault(what string) {
	r.set(func() {
		if r.Faults == nil {
			r.Faults = map[string]int{}
		}
		r.Faults[what]++
	})
}

func (r *ShiftReport) read(what string, answered bool) {
	r.set(func() {
		if answered {
			r.Reads++
		}
		if what != "" {
			r.Stale = append(r.Stale, what)
		}
	})
}

func (r *ShiftReport) write(code int, err error, took time.Duration) {
	r.set(func() {
		if err != nil || code != http.StatusOK {
			r.Failed++
			return
		}
		r.Acked++
		r.writes = append(r.writes, took)
	})
}

func (r *ShiftReport) command(what string, out outcome, err error) {
	r.set(func() {
		switch {
		case err != nil:
			return
		case !out.Done:
			r.Backs++
			return
		case what == "rollback":
			r.Rollbacks++
			if took, err := time.ParseDuration(out.Took); err == nil {
				r.rollbacks = append(r.rollbacks, took)
			}
		default:
			r.Shifts++
		}
		r.Voided += out.Voided
		if paused, err := time.ParseDuration(out.Paused); err == nil && paused > 0 {
			r.pauses = append(r.pauses, paused)
		}
	})
}

// judge holds what legacy has to what clients were told.
func (r *ShiftReport) judge(j *judge, legacy map[int64][]string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.set(func() {
		r.Refused = len(j.refused)
		for box := int64(1); box <= mostBoxes; box++ {
			count := map[string]int{}
			for _, thing := range legacy[box] {
				count[thing]++
				if j.refused[thing] {
					r.Revived = append(r.Revived, thing)
				}
			}
			for thing := range j.acked[box] {
				if count[thing] == 0 {
					r.Lost = append(r.Lost, thing)
				}
			}
			for thing, n := range count {
				if n > 1 {
					r.Doubled = append(r.Doubled, thing+" × "+strconv.Itoa(n))
				}
			}
		}
	})
}

// Err says what must not have been.
func (r *ShiftReport) Err() error {
	var out []error
	for what, list := range map[string][]string{"acknowledged writes are lost": r.Lost, "writes are doubled": r.Doubled, "reads are stale": r.Stale, "writes happened of which a client was told that they had not": r.Revived} {
		if len(list) > 0 {
			out = append(out, fmt.Errorf("%d %s: %v", len(list), what, list[:min(len(list), 5)]))
		}
	}
	return errors.Join(out...)
}

// String tells it for people.
func (r *ShiftReport) String() string {
	percentile := func(of []time.Duration, p int) time.Duration {
		if len(of) == 0 {
			return 0
		}
		sorted := slices.Sorted(slices.Values(of))
		return sorted[min(len(sorted)*p/100, len(sorted)-1)].Round(time.Millisecond)
	}
	return fmt.Sprintf("shift run, seed %d\n  faults %v\n  %d shifts, %d rollbacks, %d gone back by themselves; %d open writes given up\n"+
		"  writes: %d acknowledged, %d failed or without an answer, %d refused; by the old application %d; reads %d\n"+
		"  lost %d, doubled %d, stale reads %d, revived %d\n"+
		"  write pauses of shifts and rollbacks p50 %s p99 %s; rollbacks until all replicas read legacy p50 %s p99 %s; writes p50 %s p99 %s",
		r.Seed, r.Faults, r.Shifts, r.Rollbacks, r.Backs, r.Voided, r.Acked, r.Failed, r.Refused, r.Old, r.Reads, len(r.Lost), len(r.Doubled), len(r.Stale), len(r.Revived),
		percentile(r.pauses, 50), percentile(r.pauses, 99), percentile(r.rollbacks, 50), percentile(r.rollbacks, 99), percentile(r.writes, 50), percentile(r.writes, 99))
}
