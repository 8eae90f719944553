package chaos

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"banyan.dev/banyan/internal/devstack"
)

// ShiftOptions say what a shift run is.
type ShiftOptions struct {
	// Command is banyan, Service the new service, which gets what the System says.
	Command, Service []string
	// System is what is shifted.
	System System
	Dir    string
	Seed   uint64
	Length time.Duration
	// Calm leaves the faults out.
	Calm bool
	Log  *slog.Logger
}

// System is a small legacy with one capability, its new service, clients, and what an old application does beside.
type System interface {
	// name is the capability's, and that of the legacy's database.
	name() string
	// layOut writes the project into a directory. Its config takes the new service's address from SERVICE.
	layOut(dir string) error
	// fill makes the legacy's tables.
	fill(ctx context.Context, r *shiftRun) error
	// service gives the arguments of the new service.
	service(r *shiftRun, listen string) ([]string, error)
	// oldApplication writes to the legacy until ctx ends.
	oldApplication(ctx context.Context, r *shiftRun)
	// act has a client do one thing, and notes what it was told.
	act(ctx context.Context, r *shiftRun, random *rand.Rand, client, n int)
	// entity is the message of what is shifted.
	entity() string
	// damage takes some entities from the new service's store, behind the back of what it knows of Banyan, and says how many.
	damage(ctx context.Context, r *shiftRun) (int, error)
	// compare says in what the sides differ; nil when they are equal.
	compare(ctx context.Context, r *shiftRun) error
	// judge holds what legacy has to what clients were told.
	judge(ctx context.Context, r *shiftRun) error
}

const (
	stopSignal = syscall.SIGSTOP
	goOnSignal = syscall.SIGCONT

	shiftClients = 8
	// callPatience is how long a client waits for an answer.
	callPatience = 20 * time.Second
	// commandPatience is how long an operator waits for one. It is longer than a shift may take, or a rollback would end
	// each that is slow.
	commandPatience = time.Minute
	// enoughPatience is how long after its length a run may go on until it has been of use, longestEase how long clients rest
	// between two things by then.
	enoughPatience = 2 * time.Minute
	longestEase    = 2 * time.Second
)

// shiftRun is a capability that is shifted to and fro, between faults, while clients write through two replicas.
type shiftRun struct {
	ShiftOptions
	report   *ShiftReport
	random   *rand.Rand
	database *devstack.Database
	broker   *devstack.Broker
	db       *sql.DB
	replicas []*banyan
	service  *child
	second   *child    // another process of the service, which shares its database and its queues
	at       string    // where the new service listens
	over     time.Time // when the run's length is over
	// operating is held while nobody but the holder is to shift.
	operating sync.Mutex
	stops     []func(context.Context) error
}

// RunShifts runs one.
func RunShifts(ctx context.Context, o ShiftOptions) (_ *ShiftReport, err error) {
	r := &shiftRun{ShiftOptions: o, report: &ShiftReport{Seed: o.Seed}, random: rand.New(rand.NewPCG(o.Seed, 7))} //nolint:gosec // it chooses faults
	defer func() { err = errors.Join(err, r.end(ctx)) }()
	if err := r.setUp(ctx); err != nil {
		return nil, err
	}
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if err := r.disturb(ctx); err != nil {
		return r.report, err
	}
	return r.report, r.settle(ctx)
}

// end stops what was started.
func (r *shiftRun) end(ctx context.Context) (err error) {
	for _, stop := range slices.Backward(r.stops) {
		err = errors.Join(err, stop(context.WithoutCancel(ctx)))
	}
	return err
}

func (r *shiftRun) setUp(ctx context.Context) error {
	var err error
	if r.database, err = devstack.StartDatabase(ctx, devstack.DatabaseOptions{Settings: map[string]string{"lock_wait_timeout": "10", "innodb_lock_wait_timeout": "5"}}); err != nil {
		return err
	}
	r.stops = append(r.stops, r.database.Stop)
	if r.broker, err = devstack.StartBroker(ctx, devstack.BrokerOptions{}); err != nil {
		return err
	}
	r.stops = append(r.stops, r.broker.Stop)
	if err := r.System.layOut(r.Dir); err != nil {
		return err
	}
	root, err := sql.Open("mysql", r.database.DSN(""))
	if err != nil {
		return fmt.Errorf("use the database: %w", err)
	}
	_, err = root.ExecContext(ctx, "CREATE DATABASE "+r.System.name()+" CHARACTER SET utf8mb4")
	if err = errors.Join(err, root.Close()); err != nil {
		return err
	}
	if r.db, err = sql.Open("mysql", r.database.DSN(r.System.name())); err != nil {
		return fmt.Errorf("use the database: %w", err)
	}
	r.stops = append(r.stops, func(context.Context) error { return r.db.Close() })
	if err := r.System.fill(ctx, r); err != nil {
		return err
	}
	if r.at, err = freeAddress(); err != nil {
		return err
	}
	for i := range 2 {
		b, err := newBanyan(r.Command, r.Dir, i, r.database.DSN(r.System.name()), r.broker.URL("/"))
		if err != nil {
			return err
		}
		b.env = append(b.env, "SERVICE="+r.at)
		b.client.Timeout = callPatience
		r.replicas = append(r.replicas, b)
	}
	as := &accounts{banyan: r.replicas[0], admin: r.database.DSN(r.System.name())}
	if err := as.makeTables(ctx); err != nil {
		return err
	}
	if err := as.logIn(ctx, "facade,mirror", r.replicas...); err != nil {
		return err
	}
	if err := r.startService(); err != nil {
		return err
	}
	for _, b := range r.replicas {
		if err := b.start(); err != nil {
			return err
		}
		r.stops = append(r.stops, func(context.Context) error {
			b.kill()
			b.client.CloseIdleConnections()
			return nil
		})
	}
	return r.ready(ctx)
}

// ready waits until both replicas serve.
func (r *shiftRun) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, b := range r.replicas {
		if err := b.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// prepare brings the capability to shadow.
func (r *shiftRun) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for _, stage := range []string{"mirrored", "shadow"} {
		if err := poll(ctx, 200*time.Millisecond, func() error {
			out, err := r.command(ctx, 0, "advance", map[string]any{"stage": stage})
			if err == nil && !out.Done {
				err = errors.New(out.Why)
			}
			return err
		}); err != nil {
			return fmt.Errorf("advance to %s: %w", stage, err)
		}
	}
	return nil
}

// outcome is a command's, as the admin API has it.
type outcome struct {
	Done   bool   `json:"done"`
	Why    string `json:"why"`
	To     string `json:"to"`
	Took   string `json:"took"`
	Paused string `json:"paused"`
	Voided int    `json:"voided"`
}

// command gives one to a replica.
func (r *shiftRun) command(ctx context.Context, replica int, what string, body map[string]any) (outcome, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return outcome{}, fmt.Errorf("write a command: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.replicas[replica].admin+"/admin/v1/capabilities/"+r.System.name()+":"+what, strings.NewReader(string(text)))
	if err != nil {
		return outcome{}, fmt.Errorf("make a command: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Banyan-Who", "chaos")
	patient := *r.replicas[replica].client
	patient.Timeout = commandPatience
	answer, err := patient.Do(request)
	if err != nil {
		return outcome{}, fmt.Errorf("command %s: %w", what, err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	var out struct {
		outcome
		Message string `json:"message"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		return outcome{}, fmt.Errorf("command %s: %w", what, err)
	}
	if answer.StatusCode != http.StatusOK {
		return outcome{}, fmt.Errorf("command %s: %d %s", what, answer.StatusCode, out.Message)
	}
	return out.outcome, nil
}

// disturb lets clients, the old application, an operator and faults do what they do, for a while. On a slow machine it goes
// on without faults, and ever more at ease, until enough has been shifted to say something.
func (r *shiftRun) disturb(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.Length+enoughPatience)
	defer cancel()
	r.over = time.Now().Add(r.Length)
	var all sync.WaitGroup
	for n := range shiftClients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(r.Seed, uint64(100+n))) //nolint:gosec // it chooses what to do
			for i := 0; ctx.Err() == nil; i++ {
				r.System.act(ctx, r, random, n, i)
				r.ease(ctx)
			}
		})
	}
	all.Go(func() { r.System.oldApplication(ctx, r) })
	all.Go(func() { r.operate(ctx) })
	short, end := context.WithTimeout(ctx, r.Length)
	defer end()
	all.Go(func() { r.fills(short) })
	err := r.faults(short)
	if err == nil {
		err = poll(ctx, 50*time.Millisecond, func() error { return r.enough(ctx) })
	}
	cancel()
	all.Wait()
	return err
}

// ease rests the longer, the longer the run's length is over: a machine that is too slow for all that is written would not catch
// up, and nothing be shifted.
func (r *shiftRun) ease(ctx context.Context) {
	if over := time.Since(r.over); over > 0 {
		pause(ctx, min(over/10, longestEase))
	}
}

// enough says what is missing before the run says something.
func (r *shiftRun) enough(ctx context.Context) error {
	var live int
	if err := r.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM banyan.writes WHERE state = 'closed'").Scan(&live); err != nil {
		return fmt.Errorf("count live writes: %w", err)
	}
	r.report.set(func() { r.report.Live = live })
	return r.report.enough()
}

// operate shifts and rolls back at random.
func (r *shiftRun) operate(ctx context.Context) {
	random := rand.New(rand.NewPCG(r.Seed, 11)) //nolint:gosec // it chooses commands
	for ctx.Err() == nil {
		what, body := "rollback", map[string]any{}
		if random.IntN(3) > 0 {
			what, body = "advance", map[string]any{"stage": "live", "percent": 10 * (1 + random.IntN(10))}
		}
		r.operating.Lock()
		out, err := r.command(ctx, random.IntN(2), what, body)
		r.operating.Unlock()
		r.report.command(what, out, err)
		r.Log.Debug("command", "what", what, "body", body, "outcome", out, "error", err)
		pause(ctx, time.Duration(random.IntN(400))*time.Millisecond)
	}
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
	if err := r.heal(ctx); err != nil {
		return fmt.Errorf("what is parked can't be applied: %w", err)
	}
	if err := r.equal(ctx); err != nil {
		return err
	}
	if err := r.refill(ctx); err != nil {
		return err
	}
	if err := r.equal(ctx); err != nil {
		return fmt.Errorf("after a backfill: %w", err)
	}
	return r.System.judge(ctx, r)
}

// equal waits until both sides are.
func (r *shiftRun) equal(ctx context.Context) error {
	if err := poll(ctx, 200*time.Millisecond, func() error {
		if err := r.idle(ctx); err != nil {
			return err
		}
		return r.System.compare(ctx, r)
	}); err != nil {
		return fmt.Errorf("the sides don't become equal: %w", err)
	}
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
