package store_test

import (
	"testing"
	"time"

	"banyan.dev/banyan/adapters/store"
)

// lockRow keeps the mirror's row locked until the function it gives is called.
func lockRow(t *testing.T, o store.Options) (unlock func()) {
	t.Helper()
	tx, err := admin(t, o.DSN).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT * FROM `"+o.Schema+"`.mirrors FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	return func() { _ = tx.Rollback() }
}

func TestSaveIsBounded(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		o.Timeout = 2 * time.Second
		s := open(t, migrated(t, o))
		term := lead(t, s)
		unlock := lockRow(t, o)
		defer unlock()
		began := time.Now()
		if err := term.Save(t.Context(), at(1)); err == nil {
			t.Error("a locked row was changed")
		}
		if d := time.Since(began); d > 4*time.Second {
			t.Errorf("it took %s", d)
		}
		unlock()
		if err := term.Save(t.Context(), at(2)); err != nil {
			t.Errorf("the term is over: %v", err)
		}
	})
}

// An error leaves open whether the epoch was raised; the term goes on in either case.
func TestUncertainEpoch(t *testing.T) {
	for name, happened := range map[string]bool{"it was not raised": false, "it was raised": true} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, o store.Options) {
				o.Timeout = 2 * time.Second
				s := open(t, migrated(t, o))
				term := lead(t, s)
				unlock := lockRow(t, o)
				defer unlock()
				if _, err := term.NewEpoch(t.Context(), at(1)); err == nil {
					t.Fatal("a locked row was changed")
				}
				unlock()
				want := uint32(1)
				if happened {
					want = 2
					exec(t, admin(t, o.DSN), "UPDATE `"+o.Schema+"`.mirrors SET epoch = 2")
				}
				if err := term.Save(t.Context(), at(2)); err != nil {
					t.Fatal(err)
				}
				state, err := s.State(t.Context())
				if err != nil || state.Epoch != want || state.Position != at(2) {
					t.Errorf("got %+v, %v, want epoch %d", state, err, want)
				}
				if epoch, err := term.NewEpoch(t.Context(), at(3)); err != nil || epoch != want+1 {
					t.Errorf("got epoch %d, %v, want %d", epoch, err, want+1)
				}
			})
		})
	}
}

func TestRowThatIsGoneEndsTheTerm(t *testing.T) {
	onEach(t, func(t *testing.T, o store.Options) {
		o.KeepAlive = 20 * time.Millisecond
		term := lead(t, open(t, migrated(t, o)))
		exec(t, admin(t, o.DSN), "DELETE FROM `"+o.Schema+"`.mirrors")
		within(t, 10*time.Second, term.Lost(), "the row's loss was noticed")
		wantDeposed(t, term.Save(t.Context(), at(1)))
	})
}
