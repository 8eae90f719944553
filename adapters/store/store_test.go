package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

func wantState(t *testing.T, got, want mirror.State) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(mirror.State{}, "Saved")); diff != "" {
		t.Errorf("the state differs (- want, + got):\n%s", diff)
	}
}

func TestPositionsAreKeptFromTermToTerm(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		o.Leader = "one"
		s := open(t, migrated(t, o))
		state, err := s.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, state, mirror.State{Epoch: 1})

		first := lead(t, s)
		wantState(t, first.State(), mirror.State{Epoch: 1, Term: 1, Leader: "one"})
		began := time.Now()
		for _, p := range []change.Position{at(1), at(2), at(2)} { // the same again is no loss of leadership
			if err := first.Save(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		if state, err = s.State(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantState(t, state, mirror.State{Epoch: 1, Term: 1, Leader: "one", Position: at(2)})
		if d := state.Saved.Sub(began).Abs(); d > time.Minute {
			t.Errorf("saved %s, %s off", state.Saved, d)
		}
		epoch, err := first.NewEpoch(t.Context(), at(3))
		if err != nil || epoch != 2 {
			t.Fatalf("got epoch %d, %v, want 2", epoch, err)
		}
		if err := first.Save(t.Context(), at(4)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
		}
		wantDeposed(t, first.Save(t.Context(), at(5)))

		o.Leader = strings.Repeat("é", 300)
		second := lead(t, open(t, o))
		wantState(t, second.State(), mirror.State{Epoch: 2, Term: 2, Leader: strings.Repeat("é", 255), Position: at(4)})
	})
}

func TestResetDeposesWhoLeads(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		o.KeepAlive = 20 * time.Millisecond
		s := open(t, migrated(t, o))
		state, err := s.Reset(t.Context(), at(9))
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, state, mirror.State{Epoch: 2, Term: 1, Position: at(9)})
		term := lead(t, s)
		state, err = s.Reset(t.Context(), change.Position{})
		if err != nil {
			t.Fatal(err)
		}
		wantState(t, state, mirror.State{Epoch: 3, Term: 3, Leader: term.State().Leader})
		wantDeposed(t, term.Save(t.Context(), at(10)))
		within(t, 10*time.Second, term.Lost(), "the reset was noticed")

		idle := lead(t, open(t, o)) // one that saves nothing notices, too
		if _, err := s.Reset(t.Context(), at(11)); err != nil {
			t.Fatal(err)
		}
		within(t, 10*time.Second, idle.Lost(), "the reset was noticed by an idle leader")
		if _, err := idle.NewEpoch(t.Context(), at(12)); err == nil {
			t.Error("a deposed leader raised the epoch")
		}
		if state, err = s.State(t.Context()); err != nil || state.Position != at(11) || state.Epoch != 4 {
			t.Errorf("got %+v, %v, want the reset's position", state, err)
		}
	})
}

func TestPositionsThatNobodyUnderstandsStop(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		s := open(t, migrated(t, o))
		db := admin(t, o.DSN)
		for _, text := range []string{
			`[]`, `7`, `"binlog.000001"`, `{}`, `{"server":"1","file":"x","offset":4}`, `{"file":"binlog.000001","offset":4}`, `null`,
			`{"server":"1","file":"binlog.000001","offset":-4}`, `{"server":"1","file":"binlog.000001","offset":4,"shard":2}`,
		} {
			exec(t, db, "REPLACE INTO `"+o.Schema+"`.mirrors (name, epoch, term, position) VALUES ('mirror', 3, 5, ?)", text)
			_, err := s.State(t.Context())
			if stop := wantStop(t, err); !strings.Contains(stop.Fix, "banyan mirror reset") {
				t.Errorf("the way out is missing: %v", stop)
			}
			_, err = s.Lead(t.Context())
			wantStop(t, err)
			if state, err := s.Reset(t.Context(), at(1)); err != nil || state.Term != 6 || state.Epoch != 4 {
				t.Errorf("the way out gives %+v, %v", state, err)
			}
		}
		_ = lead(t, s)
	})
}

func TestOptionsThatCantBe(t *testing.T) {
	for name, o := range map[string]store.Options{
		"no DSN":       {DSN: "::secret::"},
		"odd schema":   {DSN: "root@tcp(127.0.0.1:1)/", Schema: "a`b"},
		"odd mirror":   {DSN: "root@tcp(127.0.0.1:1)/", Mirror: "a'b"},
		"a long one":   {DSN: "root@tcp(127.0.0.1:1)/", Mirror: strings.Repeat("m", 65)},
		"unknown bool": {DSN: "root:secret@tcp(127.0.0.1:1)/?parseTime=secret"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.New(o)
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want an error without the DSN's text", err)
			}
		})
	}
}

func TestLockNamesAreShortAndApart(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range []store.Options{
		{},
		{Schema: "Banyan"},
		{Mirror: "Mirror"},
		{Schema: strings.Repeat("a", 64)},
		{Schema: strings.Repeat("a", 64), Mirror: strings.Repeat("a", 64)},
		{Schema: strings.Repeat("a", 63)},
		{Schema: "shop", Mirror: "two"},
	} {
		name := strings.ToLower(store.LockName(o))
		if len(name) > 64 || seen[name] {
			t.Errorf("the lock's name %q of %+v is too long, or another's", name, o)
		}
		seen[name] = true
	}
}
