package control_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
	"banyan.dev/banyan/strangler/control"
	"banyan.dev/banyan/strangler/shift"
)

// A replica with a newer flag than the store decides by neither: it has no lease until there is a newer one yet, also once it
// was fenced, and says which version it has.
func TestAStoreThatWentBackEndsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeStore()
		s.publish("orders", 9)
		r, a := agent(t, s)
		defer start(t, a)()
		pass(100 * time.Millisecond)
		s.publish("orders", 4)
		pass(time.Second)
		if r.leased() || !strings.Contains(a.Status().Trouble, "version 9") {
			t.Errorf("it decides by a flag that the store doesn't have: %+v", a.Status())
		}
		if got := s.ack("orders"); got.Applied != 9 {
			t.Errorf("acknowledged %+v", got)
		}
		s.set(func(s *fakeStore) { s.replica.fenced = true })
		pass(5 * time.Second)
		if r.leased() || r.writes() || s.ack("orders").Applied != 9 {
			t.Errorf("it decides after it has joined again, or keeps its version for itself: %+v", s.ack("orders"))
		}
		s.publish("orders", 10)
		pass(time.Second)
		if got := s.ack("orders"); !r.leased() || got.Applied != 10 || a.Status().Trouble != "" {
			t.Errorf("acknowledged %+v: %+v", got, a.Status())
		}
	})
}

// A restored backup says what was so once. Wherever keys have been since, all of them go to legacy, under a version that
// nobody has seen, what is open is given up, and the service is filled anew.
func TestARestoredStore(t *testing.T) {
	for name, to := range map[string]flags.Stage{"from shadow": flags.Shadow, "from live": flags.Live, "from mirrored": flags.Mirrored} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory("a", "b")
				m.run(t)
				m.ids = []string{"1", "2"}
				stop := m.coordinator(t, "at first")
				m.advance(t, flags.Mirrored, flags.Shadow, flags.Live)
				o, err := m.operator().Rollback(t.Context(), back)
				must(t, o, err)
				m.advance(t, flags.Live)
				stop()
				var greatest uint64
				m.set(func(m *memory) {
					old := m.records["orders"]
					greatest = old.Flag.Version
					s := shift.New("orders", flags.Uniform(to))
					s.Version, s.Backfill.State = 5, shift.FillDone
					text, err := json.Marshal(s)
					if err != nil {
						t.Fatal(err)
					}
					m.records["orders"] = control.Record{Capability: "orders", Revision: 3, State: text, Flag: s.Flag}
					m.writes["w1"] = strangler.Write{ID: "w1", Capability: "orders", Key: "k", Keyed: true, Epoch: greatest, State: strangler.WriteOpen}
					m.announced = nil
				})
				defer m.coordinator(t, "q")()
				pass(time.Minute)
				want := to
				if to == flags.Live {
					want = flags.Shadow
				}
				if got := m.stage("orders"); got != string(want) {
					t.Errorf("it is %s", got)
				}
				status, err := m.operator().Status(t.Context(), "orders")
				if err != nil || status[0].Version <= greatest || status[0].Shift != "" || status[0].Backfill != "done" {
					t.Errorf("got %+v, %v", status, err)
				}
				m.set(func(m *memory) {
					if m.writes["w1"].State != strangler.WriteVoid || !slices.ContainsFunc(m.announced, func(a control.Announcement) bool { return slices.Equal(a.IDs, m.ids) }) {
						t.Errorf("the open write is %s, announced is %v", m.writes["w1"].State, m.announced)
					}
				})
				history, err := m.operator().History(t.Context(), "orders", 100)
				if err != nil || !slices.ContainsFunc(history, func(a control.Audit) bool { return a.What == "control store gone back" }) {
					t.Errorf("got %+v, %v", history, err)
				}
				if to != flags.Mirrored {
					o, err = m.operator().Advance(t.Context(), control.Change{Capability: "orders", Stage: flags.Live, Who: "ann"})
					must(t, o, err)
				}
			})
		})
	}
}

// A store that is new beside a ledger that isn't begins above what the ledger has, and held: whatever was live is legacy's first.
func TestAWipedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := toLive(t, "a", "b")
		var greatest uint64
		m.set(func(m *memory) {
			greatest = m.records["orders"].Flag.Version
			m.writes["w1"] = strangler.Write{ID: "w1", Capability: "orders", Key: "k", Keyed: true, Epoch: greatest, State: strangler.WriteOpen}
			delete(m.records, "orders")
		})
		if err := control.Ensure(t.Context(), m, m, []control.Coordinated{orders}); err != nil {
			t.Fatal(err)
		}
		m.set(func(m *memory) {
			f := m.records["orders"].Flag
			if f.Version <= greatest || f.Phase != flags.HoldLegacy || flags.Describe(f.From) != "live" || flags.Describe(f.To) != "off" {
				t.Errorf("the flag is %+v", f)
			}
		})
		defer m.coordinator(t, "q")()
		pass(10 * time.Second)
		m.set(func(m *memory) {
			if f := m.records["orders"].Flag; f.Phase != flags.Steady || flags.Describe(f.To) != "off" || m.writes["w1"].State != strangler.WriteVoid {
				t.Errorf("the flag is %+v, the write %s", f, m.writes["w1"].State)
			}
		})
	})
}
