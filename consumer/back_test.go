package consumer

import (
	"testing"

	"banyan.dev/banyan/protocol"
)

// back is the fence of a way back: all keys are legacy's since an epoch.
func (s *service) back(t testing.TB, epoch uint64) {
	t.Helper()
	s.partlyBack(t, epoch, 0, protocol.Partitions)
}

// partlyBack is back in some partitions, each of them twice.
func (s *service) partlyBack(t testing.TB, epoch uint64, from, to int) {
	t.Helper()
	for range 2 {
		for p := from; p < to; p += 16 {
			var copies []protocol.Fence
			for p := p; p < min(p+16, to); p++ {
				copies = append(copies, protocol.Fence{ID: "back", Capability: "things", Epoch: epoch, Back: true, Partition: p})
			}
			if a, err := s.store.fence(t.Context(), "things", copies...); err != nil || a.Error != "" || len(a.Partitions) != len(copies) {
				t.Fatalf("the fence gives %+v, %v", a, err)
			}
		}
	}
}

func (s *service) parkedKeys(t testing.TB) int {
	t.Helper()
	keys, err := s.store.ParkedKeys(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

// Once keys are legacy's again, what the old application changes is applied, also of what the service has written itself.
func TestAWayBackEndsWhatIsTheServicesOwn(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		r, n := s.runner(t), 0
		take := func(origin protocol.Origin, id, body string) {
			t.Helper()
			n++
			if err := r.one(t.Context(), event(n, origin, "c"+id, id, body)); err != nil {
				t.Fatal(err)
			}
		}
		s.write(t, "1", 5, "ca", "a", "live")
		take(protocol.OriginWriteBack, "a", "live")
		if _, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: "f", Capability: "things", Epoch: 6}); err != nil { // more keys went forward
			t.Fatal(err)
		}
		take(protocol.OriginForeign, "b", "theirs")
		s.write(t, "2", 6, "cb", "b", "live")
		take(protocol.OriginForeign, "b", "a conflict") // while the key was live
		take(protocol.OriginWriteBack, "b", "live")
		s.write(t, "3", 6, "cd", "d", "live")

		s.back(t, 7)
		for range 2 { // what was a conflict stays one: what came behind it would not be applied
			take(protocol.OriginForeign, "a", "theirs")
			if _, err := s.store.RetryParked(t.Context(), "cb", s.apply); err == nil {
				t.Error("a conflict was applied")
			}
			if s.body(t, "a") != "theirs" || s.body(t, "b") != "live" || s.parkedKeys(t) != 1 {
				t.Errorf("a has %q, b has %q, %d keys are parked", s.body(t, "a"), s.body(t, "b"), s.parkedKeys(t))
			}
		}
		// A late try can't make it the service's own again.
		if err := s.tryWrite(t.Context(), "4", 6, "ca", "a", "late"); !passed(err) {
			t.Errorf("got %v", err)
		}
		take(protocol.OriginAnnounce, "b", "announced")
		if s.body(t, "b") != "announced" || s.parkedKeys(t) != 0 {
			t.Errorf("b has %q", s.body(t, "b"))
		}

		// Forward again; a fence of the way back that comes late, or again, doesn't touch what was written since.
		s.write(t, "5", 9, "ca", "a", "live again")
		s.back(t, 7)
		take(protocol.OriginForeign, "a", "a conflict")
		if s.body(t, "a") != "live again" || s.parkedKeys(t) != 1 {
			t.Errorf("a has %q", s.body(t, "a"))
		}
		// A conflict that a person has settled for the service is one no longer when keys go back.
		if err := s.store.DiscardParked(t.Context(), "ca"); err != nil {
			t.Fatal(err)
		}
		s.back(t, 10)
		take(protocol.OriginForeign, "a", "theirs")
		take(protocol.OriginForeign, "d", "theirs")
		if s.body(t, "a") != "theirs" {
			t.Errorf("a has %q", s.body(t, "a"))
		}
		if s.body(t, "d") != "theirs" {
			t.Errorf("d has %q", s.body(t, "d"))
		}
	})
}

// The epochs of two capabilities can't be compared.
func TestAWayBackIsOfOneCapability(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		s.write(t, "1", 5, "c", "a", "live")
		if _, err := s.store.fence(t.Context(), "things", protocol.Fence{ID: "f", Capability: "others", Epoch: 7, Back: true}); err != nil {
			t.Fatal(err)
		}
		for _, e := range []protocol.EntityEvent{event(1, protocol.OriginWriteBack, "c", "a", "live"), event(2, protocol.OriginForeign, "c", "a", "theirs")} {
			if err := s.runner(t).one(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if s.body(t, "a") != "live" || s.parkedKeys(t) != 1 {
			t.Errorf("a has %q", s.body(t, "a"))
		}
	})
}

// A foreign change from when the key was live may still be on its way in a partition that the fence has not reached.
func TestAWayBackCountsOnceItIsKnownInAllPartitions(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		r := s.runner(t)
		s.write(t, "1", 5, "ca", "a", "live")
		s.partlyBack(t, 7, 0, protocol.Partitions-1)
		if err := r.one(t.Context(), event(1, protocol.OriginForeign, "ca", "a", "from before")); err != nil {
			t.Fatal(err)
		}
		if s.body(t, "a") != "live" || s.parkedKeys(t) != 1 {
			t.Errorf("a has %q, %d keys are parked", s.body(t, "a"), s.parkedKeys(t))
		}
		if err := s.store.DiscardParked(t.Context(), "ca"); err != nil {
			t.Fatal(err)
		}
		s.partlyBack(t, 7, protocol.Partitions-1, protocol.Partitions)
		if err := r.one(t.Context(), event(2, protocol.OriginForeign, "ca", "a", "theirs")); err != nil {
			t.Fatal(err)
		}
		if s.body(t, "a") != "theirs" {
			t.Errorf("a has %q", s.body(t, "a"))
		}
		var left int
		if err := s.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM banyan_back WHERE epoch < 7").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d are left: %v", left, err)
		}
	})
}
