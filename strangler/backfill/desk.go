package backfill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// Request is what a person asks for.
type Request struct {
	// Targets are tables, as TABLE or SCHEMA.TABLE, and full names of entities' messages.
	Targets []string
	// All stands for all tables in scope.
	All bool
	// Service is which service entities are for; empty: all that are told of them.
	Service string
	Rate    uint32
	// MaxLag is by default UsualLag.
	MaxLag time.Duration
	Who    string
}

// UsualLag is how far a mirror may be behind before a backfill waits.
const UsualLag = 5 * time.Second

// Desk takes what people ask for.
type Desk struct {
	Book Book
	// Mirror is the name of the mirror that sends rows.
	Mirror string
	// Tables gives the tables that the mirror sends changes of, as schema and table. Schema is that of tables without one, and
	// FoldCase says that names in another case are the same.
	Tables   func(ctx context.Context) ([][2]string, error)
	Schema   string
	FoldCase func() bool
	// Services gives the mirrors of the services that are told of an entity, by the services' names; none: there is no such entity.
	Services func(entity string) map[string]string
}

// Start keeps jobs for what is asked for.
func (d *Desk) Start(ctx context.Context, r Request) ([]Job, error) {
	switch {
	case r.All && len(r.Targets) > 0:
		return nil, strangler.Invalid("all", "name targets, or all of them, not both")
	case !r.All && len(r.Targets) == 0:
		return nil, strangler.Invalid("targets", "name a table or an entity, or all")
	case r.All && r.Service != "":
		return nil, strangler.Invalid("service", "all are tables, and a service is told of entities: name one")
	case r.MaxLag < 0 || r.MaxLag > 24*time.Hour || r.MaxLag > 0 && r.MaxLag < time.Millisecond: // which the book would keep as none
		return nil, strangler.Invalid("max_lag", "%s is out of range: it is from 1ms to 24h", r.MaxLag)
	case r.MaxLag == 0:
		r.MaxLag = UsualLag
	}
	targets, err := d.targets(ctx, &r)
	if err != nil {
		return nil, err
	}
	jobs := make([]Job, len(targets))
	for i, t := range targets {
		jobs[i] = Job{Target: t, Rate: r.Rate, MaxLag: r.MaxLag, Who: r.Who}
	}
	added, err := d.Book.Add(ctx, jobs)
	var busy *BusyError
	if errors.As(err, &busy) {
		return nil, strangler.Fail(codes.FailedPrecondition, "BACKFILL_RUNNING", "%s is being sent already, by backfill %d: wait until that is over, or stop it with `banyan backfill stop %d`",
			busy.Job.String(), busy.Job.ID, busy.Job.ID)
	}
	return added, err
}

func (d *Desk) targets(ctx context.Context, r *Request) (all []Target, err error) {
	var tables [][2]string
	known := func() error {
		if tables == nil {
			tables, err = d.Tables(ctx)
		}
		return err
	}
	add := func(t Target) {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	if r.All {
		if err := known(); err != nil {
			return nil, err
		}
		for _, t := range tables {
			add(Target{Mirror: d.Mirror, Schema: t[0], Name: t[1]})
		}
		if len(all) == 0 {
			return nil, strangler.Fail(codes.FailedPrecondition, "NO_TABLES", "the mirror sends changes of no table: see mirror.tables in the config")
		}
		return all, nil
	}
	for _, name := range r.Targets {
		services := d.Services(name)
		if len(services) > 0 || r.Service != "" {
			found, err := d.entity(name, r.Service, services)
			if err != nil {
				return nil, err
			}
			for _, t := range found {
				add(t)
			}
			continue
		}
		if err := known(); err != nil {
			return nil, err
		}
		t, err := d.table(name, tables)
		if err != nil {
			return nil, err
		}
		add(t)
	}
	return all, nil
}

// entity gives the streams that an entity is sent down.
func (d *Desk) entity(name, service string, services map[string]string) (all []Target, err error) {
	if len(services) == 0 {
		return nil, strangler.Invalid("targets", "no service is told of an entity %q: name the message as package.Message, as the config does", name)
	}
	if service != "" {
		mirror, told := services[service]
		if !told {
			return nil, strangler.Invalid("service", "the service %q is not told of %s, but %s: name it in services.NAME.entities in the config of all processes, or ask for another", service, name, strings.Join(slices.Sorted(maps.Keys(services)), ", "))
		}
		return []Target{{Mirror: mirror, Name: name}}, nil
	}
	for _, mirror := range services {
		all = append(all, Target{Mirror: mirror, Name: name})
	}
	slices.SortFunc(all, func(a, b Target) int { return strings.Compare(a.Mirror, b.Mirror) })
	return all, nil
}

// table finds a table by its name.
func (d *Desk) table(name string, tables [][2]string) (Target, error) {
	same := func(a, b string) bool { return a == b }
	if d.FoldCase != nil && d.FoldCase() {
		same = strings.EqualFold
	}
	for _, t := range tables { // names may have dots
		if same(t[0]+"."+t[1], name) || same(t[0], d.Schema) && same(t[1], name) {
			return Target{Mirror: d.Mirror, Schema: t[0], Name: t[1]}, nil
		}
	}
	return Target{}, strangler.Invalid("targets", "%q is no table that the mirror sends changes of (mirror.tables in the config; a view is none), nor an entity that a service is told of (services.NAME.entities; its full name, package.Message)", name)
}

// List gives the latest jobs.
func (d *Desk) List(ctx context.Context, limit int) ([]Job, error) { return d.Book.List(ctx, limit) }

// Get gives one.
func (d *Desk) Get(ctx context.Context, id uint64) (Job, error) {
	job, err := d.Book.Get(ctx, id)
	return job, none(err, id)
}

// Stop stops one.
func (d *Desk) Stop(ctx context.Context, id uint64, who string) (Job, error) {
	job, err := d.Book.Stop(ctx, id, fmt.Sprintf("stopped by %s", who))
	return job, none(err, id)
}

func none(err error, id uint64) error {
	if errors.Is(err, ErrNone) {
		return strangler.Fail(codes.NotFound, "NO_SUCH_BACKFILL", "there is no backfill %d; `banyan backfill list` lists them", id)
	}
	return err
}
