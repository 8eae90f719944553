package consumer

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"banyan.dev/banyan/protocol"
)

// model is what the rules say, in maps.
type model struct {
	body, versions map[string]string
	events         map[string]string // the last that was applied
	local, broken  map[string]bool
	parked         map[string][]protocol.EntityEvent
}

func (m *model) body1(e protocol.EntityEvent) string {
	if e.Deleted {
		return ""
	}
	return string(e.Data[1 : len(e.Data)-1])
}

// bring applies an event that nothing is in the way of, unless it fails.
func (m *model) bring(e protocol.EntityEvent) bool {
	switch {
	case e.Origin == protocol.OriginWriteBack:
		m.versions[e.ID] = e.Version
		return true
	case e.Origin == protocol.OriginForeign && m.local[e.ID], m.broken[e.ID]:
		return false
	default:
		m.body[e.ID], m.local[e.ID] = m.body1(e), false
	}
	m.versions[e.ID], m.events[e.ID] = e.Version, e.Event
	return true
}

func (m *model) take(e protocol.EntityEvent) {
	key := keyOfThing(e.ID)
	if e.Version <= m.versions[e.ID] {
		return
	}
	was := len(m.parked[key])
	if e.Event == m.events[e.ID] && e.Origin != protocol.OriginAnnounce {
		m.supersede(key, e)
		if m.versions[e.ID] = e.Version; len(m.parked[key]) < was {
			m.retry(key)
		}
		return
	}
	if e.Origin != protocol.OriginAnnounce {
		if len(m.parked[key]) > 0 || !m.bring(e) {
			m.park(key, e)
		}
		return
	}
	m.supersede(key, e)
	if !m.bring(e) {
		m.park(key, e)
	} else if len(m.parked[key]) < was {
		m.retry(key)
	}
}

func (m *model) supersede(key string, e protocol.EntityEvent) {
	m.parked[key] = slices.DeleteFunc(m.parked[key], func(p protocol.EntityEvent) bool { return p.ID == e.ID && p.Version <= e.Version })
}

func (m *model) park(key string, e protocol.EntityEvent) {
	if !slices.ContainsFunc(m.parked[key], func(p protocol.EntityEvent) bool { return p.ID == e.ID && p.Version == e.Version }) {
		m.parked[key] = append(m.parked[key], e)
	}
}

func (m *model) retry(key string) {
	for len(m.parked[key]) > 0 {
		if e := m.parked[key][0]; e.Version > m.versions[e.ID] && !m.bring(e) {
			return
		}
		m.parked[key] = m.parked[key][1:]
	}
}

// keyOfThing gives the key of one of the test's things.
func keyOfThing(id string) string { return map[byte]string{'0': "c0", '1': "c1"}[id[0]%2+'0'] }

// Whatever comes in whatever order, the store is as the rules say.
func TestRulesAreThoseOfTheModel(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		const most = 30
		s, runs := newService(t, empty(t), StoreOptions{}), 0
		rapid.Check(t, func(rt *rapid.T) {
			if runs++; runs > most && s.at.dialect != SQLite {
				return // the rules are the same everywhere, and servers take their time
			}
			s.clear(t)
			r := s.runner(t)
			m := &model{body: map[string]string{}, versions: map[string]string{}, events: map[string]string{}, local: map[string]bool{}, broken: s.broken, parked: map[string][]protocol.EntityEvent{}}
			var sent []protocol.EntityEvent
			thing := rapid.SampledFrom([]string{"0", "1", "2", "3", "p4"})
			origin := rapid.SampledFrom([]protocol.Origin{protocol.OriginLegacy, protocol.OriginLegacy, protocol.OriginForeign, protocol.OriginWriteBack, protocol.OriginAnnounce})
			epoch, flag := 1, uint64(1)
			steps := rapid.IntRange(1, 40).Draw(rt, "steps")
			for n := 1; n <= steps; n++ {
				id := thing.Draw(rt, "thing")
				switch rapid.SampledFrom([]string{"event", "event", "event", "event", "batch", "again", "failover", "write", "break", "repair", "retry", "discard", "back"}).Draw(rt, "step") {
				case "event":
					body := fmt.Sprint(n)
					if rapid.IntRange(0, 5).Draw(rt, "deleted") == 0 {
						body = ""
					}
					e := event(n, origin.Draw(rt, "origin"), keyOfThing(id), id, body)
					e = elsewhere(e, epoch)
					if m.versions[id] == "" { // the key of what was never seen is unknown
						e.Key = keyOfThing(id)
					}
					sent = append(sent, e)
					m.take(e)
					if err := r.take(t.Context(), []protocol.EntityEvent{e}); err != nil {
						rt.Fatal(err)
					}
				case "batch", "again":
					if len(sent) == 0 {
						continue
					}
					again := sent[rapid.IntRange(0, len(sent)-1).Draw(rt, "from"):]
					for _, e := range again {
						m.take(e)
					}
					if err := r.take(t.Context(), again); err != nil {
						rt.Fatal(err)
					}
				case "failover": // what was sent last comes again from another log
					epoch++
					from := 0
					if len(sent) > 0 {
						from = rapid.IntRange(0, len(sent)-1).Draw(rt, "from")
					}
					for i := from; i < len(sent); i++ {
						sent[i] = elsewhere(sent[i], epoch)
						m.take(sent[i])
						if err := r.take(t.Context(), sent[i:i+1]); err != nil {
							rt.Fatal(err)
						}
					}
				case "write":
					if err := s.tryWrite(t.Context(), fmt.Sprint(n), flag, keyOfThing(id), id, fmt.Sprint(n)); err != nil {
						rt.Fatal(err)
					}
					m.body[id], m.local[id] = fmt.Sprint(n), true
				case "back":
					flag++
					s.back(t, flag)
					for id := range m.local {
						if !slices.ContainsFunc(m.parked[keyOfThing(id)], func(p protocol.EntityEvent) bool { return p.ID == id }) {
							m.local[id] = false
						}
					}
				case "break":
					s.broken[id] = true
				case "repair":
					s.repair(id)
				case "retry":
					_, _ = s.store.RetryParked(t.Context(), keyOfThing(id), s.apply)
					m.retry(keyOfThing(id))
				case "discard":
					if err := s.store.DiscardParked(t.Context(), keyOfThing(id)); err != nil {
						rt.Fatal(err)
					}
					for _, e := range m.parked[keyOfThing(id)] {
						if e.Version <= m.versions[e.ID] {
							continue
						}
						if m.versions[e.ID] = e.Version; e.Origin != protocol.OriginWriteBack {
							m.events[e.ID] = e.Event
						}
					}
					m.parked[keyOfThing(id)] = nil
				}
				m.compare(t, rt, s)
			}
		})
	})
}

// clear empties a service.
func (s *service) clear(t *testing.T) {
	t.Helper()
	for _, table := range []string{"things", "banyan_entities", "banyan_epochs", "banyan_writes", "banyan_parked", "banyan_back"} {
		if _, err := s.db.ExecContext(t.Context(), "DELETE FROM "+table); err != nil {
			t.Fatal(err)
		}
	}
	clear(s.broken)
}

// compare fails when the store is not as the model.
func (m *model) compare(t *testing.T, rt *rapid.T, s *service) {
	for _, id := range []string{"0", "1", "2", "3", "p4"} {
		if got := s.body(t, id); got != m.body[id] {
			rt.Fatalf("thing %s has %q, want %q", id, got, m.body[id])
		}
	}
	parked, err := s.store.Parked(t.Context(), 0)
	if err != nil {
		rt.Fatal(err)
	}
	got := map[string][]string{}
	for _, p := range parked {
		got[p.Key] = append(got[p.Key], p.Event.ID+" "+p.Event.Version)
	}
	want := map[string][]string{}
	for key, events := range m.parked {
		for _, e := range events {
			want[key] = append(want[key], e.ID+" "+e.Version)
		}
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		rt.Fatalf("parked are %v, want %v", got, want)
	}
}
