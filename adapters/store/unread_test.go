package store_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/mirror"
)

func openUnread(t *testing.T, o store.Options, stream string) *store.Unread {
	t.Helper()
	o.Mirror = stream
	u, err := store.NewUnread(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

// What can't be read is kept by its stream, whatever its id is, with the last that is known of it, and forgotten by name.
func TestUnreadableEntitiesAreKept(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		o = migrated(t, o)
		orders, others := openUnread(t, o, "service.orders"), openUnread(t, o, "service.others")
		at := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
		one := mirror.Unreadable{
			EntityName: mirror.EntityName{Entity: "shop.v2.Order", ID: strings.Repeat("é", 512)}, Reason: "r", Fix: "f", Since: at,
			Version: "0001-00000001-000000000064-00000001", Event: "0-1-2:1:shop.v2.Order/" + strings.Repeat("é", 512), Committed: at.Add(-time.Hour), WrittenBack: true,
		}
		two := one
		two.ID, two.WrittenBack = "É", false
		three := two
		three.ID, three.Committed = "é", time.Unix(0, 0).UTC() // which is no TIMESTAMP
		many := make([]mirror.Unreadable, 0, 250)
		for i := range 250 {
			u := one
			u.ID = id(i)
			many = append(many, u)
		}
		if err := errors.Join(orders.Keep(t.Context(), []mirror.Unreadable{one, two, three}), others.Keep(t.Context(), many)); err != nil {
			t.Fatal(err)
		}
		later := two
		later.Reason, later.Version, later.Since = strings.Repeat("ä", 5000), "0001-00000001-000000000065-00000001", at.Add(time.Hour)
		if err := orders.Keep(t.Context(), []mirror.Unreadable{two, later}); err != nil {
			t.Fatal(err)
		}
		if err := orders.Forget(t.Context(), []mirror.Unreadable{three, {EntityName: mirror.EntityName{Entity: "shop.v2.Order", ID: id(1)}, Version: two.Version}}); err != nil {
			t.Fatal(err)
		}
		// A leader of before, which is late, takes nothing away that is to be told since.
		if err := errors.Join(orders.Forget(t.Context(), []mirror.Unreadable{two}), orders.Keep(t.Context(), []mirror.Unreadable{two})); err != nil {
			t.Fatal(err)
		}
		got, err := orders.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b mirror.Unreadable) int { return len(b.ID) - len(a.ID) })
		later.Since = two.Since
		later.Reason = strings.Repeat("ä", 3999) + "…"
		if diff := cmp.Diff([]mirror.Unreadable{one, later}, got); diff != "" {
			t.Errorf("(- want, + got):\n%s", diff)
		}
		if got, err := others.Load(t.Context()); err != nil || len(got) != 250 {
			t.Errorf("%d, %v", len(got), err)
		}
		c := openControl(t, o)
		for service, want := range map[string]int{"orders": 2, "others": 250, "nobody": 0} {
			if got, err := c.Unread(t.Context(), service, "shop.v2.Order"); err != nil || got != want {
				t.Errorf("%s: %d, %v", service, got, err)
			}
		}
	})
}

// Who has a fence's answer learns what it has passed; what is old is forgotten.
func TestWhatFencesPass(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		o = migrated(t, o)
		u, c, db := openUnread(t, o, "service.orders"), openControl(t, o), admin(t, o.DSN)
		for _, messages := range [][]string{{"shop.v2.Order"}, {"shop.v2.Order", "shop.v2.Stock"}} {
			if err := u.Passed(t.Context(), id(1), messages); err != nil {
				t.Fatal(err)
			}
		}
		for _, test := range []struct {
			fence, message string
			want           bool
		}{{id(1), "shop.v2.Order", true}, {id(1), "shop.v2.Stock", true}, {id(1), "shop.v2.order", false}, {id(2), "shop.v2.Order", false}} {
			if got, err := c.Passed(t.Context(), test.fence, test.message); got != test.want || err != nil {
				t.Errorf("%s %s: %v, %v", test.fence, test.message, got, err)
			}
		}
		if _, err := db.ExecContext(t.Context(), "UPDATE `"+o.Schema+"`.passed SET created_at = NOW(6) - INTERVAL 25 HOUR"); err != nil {
			t.Fatal(err)
		}
		if err := u.Passed(t.Context(), id(3), []string{"shop.v2.Order"}); err != nil || rowsOf(t, db, o, "passed") != 1 {
			t.Errorf("%d are left, %v", rowsOf(t, db, o, "passed"), err)
		}
	})
}
