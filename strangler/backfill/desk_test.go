package backfill_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/strangler/backfill"
)

// kept is a book that takes all, but for a target named busy.
type kept struct{ backfill.Book }

func (kept) Add(_ context.Context, jobs []backfill.Job) ([]backfill.Job, error) {
	for i := range jobs {
		if jobs[i].Name == "busy" {
			return nil, &backfill.BusyError{Job: backfill.Job{ID: 7, Target: jobs[i].Target}}
		}
		jobs[i].ID = uint64(i + 1)
	}
	return jobs, nil
}

func (kept) Get(context.Context, uint64) (backfill.Job, error) {
	return backfill.Job{}, backfill.ErrNone
}

func (kept) Stop(_ context.Context, id uint64, note string) (backfill.Job, error) {
	return backfill.Job{ID: id, Note: note}, nil
}

func desk(fold bool) *backfill.Desk {
	return &backfill.Desk{
		Book: kept{}, Mirror: "main", Schema: "shop", FoldCase: func() bool { return fold },
		Tables: func(context.Context) ([][2]string, error) {
			return [][2]string{{"shop", "Orders"}, {"shop", "busy"}, {"shop", "a.b"}, {"crm", "notes"}}, nil
		},
		Services: func(entity string) map[string]string {
			if entity == "shop.v2.Order" {
				return map[string]string{"orders": "service.orders", "billing": "service.billing"}
			}
			return nil
		},
	}
}

func TestWhatIsAskedForIsFound(t *testing.T) {
	main := func(schema, name string) backfill.Target {
		return backfill.Target{Mirror: "main", Schema: schema, Name: name}
	}
	for name, test := range map[string]struct {
		fold    bool
		request backfill.Request
		want    []backfill.Target
		refused string
	}{
		"a table of the DSN's schema": {request: backfill.Request{Targets: []string{"Orders"}}, want: []backfill.Target{main("shop", "Orders")}},
		"in another case":             {request: backfill.Request{Targets: []string{"orders"}}, refused: `"orders" is no table that the mirror sends`},
		"where that is the same":      {fold: true, request: backfill.Request{Targets: []string{"SHOP.orders"}}, want: []backfill.Target{main("shop", "Orders")}},
		"with a dot, and twice":       {request: backfill.Request{Targets: []string{"a.b", "shop.a.b", "crm.notes"}}, want: []backfill.Target{main("shop", "a.b"), main("crm", "notes")}},
		"of another schema":           {request: backfill.Request{Targets: []string{"notes"}}, refused: "is no table"},
		"all":                         {request: backfill.Request{All: true}, want: []backfill.Target{main("shop", "Orders"), main("shop", "busy"), main("shop", "a.b"), main("crm", "notes")}, refused: "shop.busy is being sent already, by backfill 7"},
		"an entity": {
			request: backfill.Request{Targets: []string{"shop.v2.Order"}},
			want:    []backfill.Target{{Mirror: "service.billing", Name: "shop.v2.Order"}, {Mirror: "service.orders", Name: "shop.v2.Order"}},
		},
		"an entity for one": {request: backfill.Request{Targets: []string{"shop.v2.Order"}, Service: "orders"}, want: []backfill.Target{{Mirror: "service.orders", Name: "shop.v2.Order"}}},
		"for none":          {request: backfill.Request{Targets: []string{"shop.v2.Order"}, Service: "x"}, refused: `the service "x" is not told`},
		"a table for one":   {request: backfill.Request{Targets: []string{"Orders"}, Service: "orders"}, refused: "no service is told"},
		"nothing":           {refused: "name a table"},
		"all and one":       {request: backfill.Request{All: true, Targets: []string{"x"}}, refused: "not both"},
		"too long a lag":    {request: backfill.Request{Targets: []string{"Orders"}, MaxLag: 25 * time.Hour}, refused: "out of range"},
		"too short a lag":   {request: backfill.Request{Targets: []string{"Orders"}, MaxLag: time.Microsecond}, refused: "out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			jobs, err := desk(test.fold).Start(t.Context(), test.request)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []backfill.Target
			for _, j := range jobs {
				got = append(got, j.Target)
				if j.MaxLag != backfill.UsualLag {
					t.Errorf("got %s", j.MaxLag)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("- want, + got:\n%s", diff)
			}
		})
	}
}

func TestThoseThatAreNotThere(t *testing.T) {
	if _, err := desk(false).Get(t.Context(), 4); err == nil || !strings.Contains(err.Error(), "there is no backfill 4") {
		t.Errorf("got %v", err)
	}
	if j, err := desk(false).Stop(t.Context(), 4, "ada"); err != nil || j.Note != "stopped by ada" {
		t.Errorf("got %+v, %v", j, err)
	}
	d := desk(false)
	d.Tables = func(context.Context) ([][2]string, error) { return nil, errors.New("gone") }
	if _, err := d.Start(t.Context(), backfill.Request{All: true}); err == nil || err.Error() != "gone" {
		t.Errorf("got %v", err)
	}
	d.Tables = func(context.Context) ([][2]string, error) { return nil, nil }
	if _, err := d.Start(t.Context(), backfill.Request{All: true}); err == nil || !strings.Contains(err.Error(), "of no table") {
		t.Errorf("got %v", err)
	}
}
