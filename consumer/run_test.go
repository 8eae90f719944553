package consumer

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

func TestEventsAreAppliedInOrderAndOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		stop := s.run(t, url)
		b := newBroker(t, url)
		b.bound(t)
		var all []protocol.EntityEvent
		for n := 1; n <= 200; n++ {
			all = append(all, event(n, protocol.OriginLegacy, "c1", fmt.Sprint(n%7), fmt.Sprint(n)))
		}
		b.events(t, all...)
		if a := b.fence(t, protocol.Fence{ID: "1", Service: "things", Capability: "things"}); a.Error != "" || len(a.Parked) != 0 || a.Service != "things" {
			t.Errorf("the answer is %+v", a)
		}
		for id := range 7 {
			if got, want := s.body(t, fmt.Sprint(id)), fmt.Sprint(200-(200-id)%7); got != want {
				t.Errorf("thing %d has %s, want %s", id, got, want)
			}
		}
		applied := len(s.order)
		// All of it comes again, as after a mirror's restart; and a deletion, after which the old ones stay old.
		b.events(t, all...)
		b.events(t, event(300, protocol.OriginForeign, "c1", "3", ""))
		b.events(t, all...)
		b.fence(t, protocol.Fence{ID: "2", Service: "things", Capability: "things"})
		if got := s.body(t, "3"); got != "" || len(s.order) != applied+1 {
			t.Errorf("the deleted thing has %q; %d were applied, want %d", got, len(s.order), applied+1)
		}
		stop()
		// What is sent while nobody consumes is there later.
		b.events(t, event(301, protocol.OriginForeign, "c1", "3", "301"))
		s.run(t, url)
		s.has(t, "3", "301")
	})
}

// A service that is behind takes many events in one transaction, however busy the machine is; it could not catch up otherwise.
func TestWhatWaitsSharesTransactions(t *testing.T) {
	leaks(t)
	url := devstack.RabbitMQ(t).NewVHost(t)
	s := newService(t, file(t), StoreOptions{})
	stop := s.run(t, url)
	b := newBroker(t, url)
	b.bound(t)
	stop()
	const events = 500
	for n := 1; n <= events; n++ {
		b.events(t, event(n, protocol.OriginLegacy, "c1", fmt.Sprint(n), fmt.Sprint(n)))
	}
	transactions := func() (n int) {
		if err := s.db.QueryRowContext(t.Context(), "SELECT turn FROM banyan_schema").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := transactions()
	s.run(t, url)
	b.fence(t, protocol.Fence{ID: "1", Service: "things", Capability: "things"})
	if n, most := transactions()-before, events/5; n > most {
		t.Errorf("%d events were taken in %d transactions, want at most %d", events, n, most)
	}
}

func TestWriteBackKeepsTheVersionOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		r := s.runner(t)
		s.write(t, "1", 5, "c1", "a", "local")
		for _, e := range []protocol.EntityEvent{
			event(10, protocol.OriginWriteBack, "c1", "a", "brought back"), event(9, protocol.OriginLegacy, "c1", "a", "older"),
		} {
			if err := r.one(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.body(t, "a"); got != "local" {
			t.Errorf("thing a has %q", got)
		}
	})
}

func TestAKeyIsParkedInOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		s.broken["a"], s.broken["p"] = true, true
		s.run(t, url)
		b := newBroker(t, url)
		b.bound(t)
		b.events(t,
			event(1, protocol.OriginLegacy, "c1", "a", "1"), event(2, protocol.OriginLegacy, "c1", "b", "2"), event(3, protocol.OriginLegacy, "c2", "c", "3"),
			event(4, protocol.OriginLegacy, "c1", "b", ""), event(5, protocol.OriginLegacy, "c1", "b", "5"), event(6, protocol.OriginLegacy, "c3", "p", "6"))
		a := b.fence(t, protocol.Fence{ID: "1", Service: "things", Capability: "things"})
		if !reflect.DeepEqual(a.Parked, []string{"c1", "c3"}) || a.More {
			t.Errorf("parked are %v", a.Parked)
		}
		if s.body(t, "a") != "" || s.body(t, "b") != "" || s.body(t, "c") != "3" {
			t.Error("what is parked was applied, or what is not was not")
		}
		parked, err := s.store.Parked(t.Context(), 0)
		if err != nil || len(parked) != 5 || !strings.Contains(parked[0].Reason, "thing a is broken") || parked[0].Key != "c1" || parked[0].At.IsZero() {
			t.Errorf("parked are %+v, %v", parked, err)
		}
		if left, err := s.store.RetryParked(t.Context(), "c1", s.apply); left != 4 || err == nil {
			t.Errorf("%d are left, and %v", left, err)
		}
		s.repair("a")
		s.order = nil
		if left, err := s.store.RetryParked(t.Context(), "c1", s.apply); left != 0 || err != nil {
			t.Errorf("%d are left, and %v", left, err)
		}
		if want := []string{"a=1", "b=2", "b=", "b=5"}; !reflect.DeepEqual(s.order, want) {
			t.Errorf("applied were %v, want %v", s.order, want)
		}
		// An announcement makes what is parked needless.
		s.repair("p")
		b.events(t, event(7, protocol.OriginAnnounce, "c3", "p", "7"))
		if a := b.fence(t, protocol.Fence{ID: "2", Service: "things", Capability: "things"}); len(a.Parked) != 0 || s.body(t, "p") != "7" {
			t.Errorf("parked are %v, and the thing has %q", a.Parked, s.body(t, "p"))
		}
	})
}

func TestAForeignChangeOfWhatWasWrittenIsAConflict(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		s := newService(t, empty(t), StoreOptions{})
		r := s.runner(t)
		one := func(e protocol.EntityEvent) {
			if err := r.one(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		one(event(1, protocol.OriginForeign, "c1", "a", "1"))
		s.write(t, "w1", 3, "c1", "a", "local")
		one(event(2, protocol.OriginForeign, "c1", "a", "foreign"))
		one(event(3, protocol.OriginLegacy, "c1", "b", "behind"))
		if s.body(t, "a") != "local" || s.body(t, "b") != "" {
			t.Error("it was applied")
		}
		if left, err := s.store.RetryParked(t.Context(), "c1", s.apply); left != 2 || err == nil || !strings.Contains(err.Error(), "conflict") {
			t.Errorf("%d are left, and %v", left, err)
		}
		one(event(4, protocol.OriginAnnounce, "c1", "a", "told"))
		if s.body(t, "a") != "told" || s.body(t, "b") != "behind" {
			t.Error("the announcement did not settle it")
		}
		one(event(5, protocol.OriginForeign, "c1", "a", "foreign")) // legacy has the authority again
		if s.body(t, "a") != "foreign" {
			t.Error("a foreign change is no conflict after an announcement")
		}
		s.write(t, "w2", 3, "c1", "a", "mine")
		one(event(6, protocol.OriginForeign, "c1", "a", "theirs"))
		if err := s.store.DiscardParked(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		one(event(6, protocol.OriginForeign, "c1", "a", "theirs"))
		if parked, err := s.store.Parked(t.Context(), 0); s.body(t, "a") != "mine" || len(parked) != 0 || err != nil {
			t.Errorf("thing a has %q, %v are parked, %v", s.body(t, "a"), parked, err)
		}
	})
}

// A fence is answered by whoever has the queue after the broker was killed, and a repetition is answered again.
func TestFencesOutliveTheBroker(t *testing.T) {
	leaks(t)
	own := devstack.OwnRabbitMQ(t)
	url := own.URL("")
	s := newService(t, file(t), StoreOptions{})
	s.run(t, url)
	b := newBroker(t, url)
	b.bound(t)
	fence := protocol.Fence{ID: "1", Service: "things", Capability: "things", Epoch: 4, Void: []string{"w1", "w2"}}
	s.write(t, "w1", 3, "c1", "a", "committed")
	// RabbitMQ 3.10 forgets a quorum queue's leader when it is killed within a moment of the queue's making.
	for made := time.Now(); time.Since(made) < 3*time.Second; {
		if a := b.fence(t, fence); !reflect.DeepEqual(a.Committed, map[string][]string{"w1": {"a"}}) {
			t.Errorf("committed are %v", a.Committed)
		}
	}
	b.events(t, event(1, protocol.OriginAnnounce, "c1", "a", "told"))
	own.Kill()
	if err := own.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	b = newBroker(t, url)
	b.events(t, event(2, protocol.OriginLegacy, "c1", "b", "later"))
	fence.ID, fence.Epoch = "2", 2
	if a := b.fence(t, fence); a.Error != "" || s.body(t, "a") != "told" || s.body(t, "b") != "later" {
		t.Errorf("the answer is %+v; things have %q and %q", a, s.body(t, "a"), s.body(t, "b"))
	}
	// The epoch has not been lowered.
	if err := s.tryWrite(t.Context(), "w2", 3, "c1", "a", "late"); !passed(err) {
		t.Errorf("an old write gives %v", err)
	}
	other := b.fence(t, protocol.Fence{ID: "3", Service: "others", Capability: "things", Epoch: 9})
	if other.Error == "" {
		t.Error("a fence for another service is not refused")
	}
}

// One process has the queue; when it ends, the other goes on behind the last acknowledged event.
func TestOneOfTwoProcessesConsumes(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		path := empty(t)
		first, second := newService(t, path, StoreOptions{}), newService(t, path, StoreOptions{})
		stop := first.run(t, url)
		b := newBroker(t, url)
		b.bound(t)
		b.events(t, event(1, protocol.OriginLegacy, "c", "0", "1"))
		first.has(t, "0", "1")
		second.run(t, url)
		for n := 2; n <= 100; n++ {
			b.events(t, event(n, protocol.OriginLegacy, "c", fmt.Sprint(n%3), fmt.Sprint(n)))
			if n == 50 {
				if len(second.order) != 0 {
					t.Error("both consume")
				}
				stop()
			}
		}
		b.fence(t, protocol.Fence{ID: "1", Service: "things", Capability: "things"})
		for id, want := range map[string]string{"0": "99", "1": "100", "2": "98"} {
			if got := second.body(t, id); got != want {
				t.Errorf("thing %s has %s, want %s", id, got, want)
			}
		}
		if len(second.order) == 0 {
			t.Error("the second has done nothing")
		}
	})
}

// What nobody can read holds all behind it up, and is named; it is not passed over.
func TestWhatCantBeReadHoldsTheQueue(t *testing.T) {
	everywhere(t, func(t *testing.T, empty where) {
		leaks(t)
		url := devstack.RabbitMQ(t).NewVHost(t)
		s := newService(t, empty(t), StoreOptions{})
		stop := s.run(t, url)
		b := newBroker(t, url)
		b.bound(t)
		b.events(t, event(1, protocol.OriginLegacy, "c", "a", "1"))
		b.send(t, amqp.Publishing{Headers: amqp.Table{headerType: "dev.banyan.entity.v9"}, Body: []byte("{}"), DeliveryMode: amqp.Persistent})
		b.events(t, event(2, protocol.OriginLegacy, "c", "a", "2"))
		s.has(t, "a", "1")
		stop()
		// A person takes it out.
		by, err := b.conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		messages, err := by.Consume("banyan.service.things.1.0", "", false, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := <-messages
		if m.Headers[headerType] != "dev.banyan.entity.v9" {
			t.Errorf("at the queue's head is %v", m.Headers)
		}
		if err := errors.Join(m.Ack(false), by.Close()); err != nil {
			t.Fatal(err)
		}
		s.run(t, url)
		s.has(t, "a", "2")
	})
}

func TestBadMessages(t *testing.T) {
	for _, body := range []string{
		`{`, `{}`, `{"entity": "a", "id": "1", "version": "1", "origin": "elsewhere", "data": {}}`, `{"entity": "a", "id": "1", "version": "1", "origin": "legacy"}`,
		`{"id": "1", "version": "1", "origin": "legacy", "data": {}}`, `{"entity": "a", "id": "1", "origin": "legacy", "data": {}}`,
	} {
		if e, err := readEvent([]byte(body)); !errors.Is(err, errMalformed) {
			t.Errorf("%s gives %+v and %v", body, e, err)
		}
	}
	for _, body := range []string{`[]`, `{}`, `{"id": "1", "epoch": 9223372036854775808}`} {
		if f, err := readFence([]byte(body)); !errors.Is(err, errMalformed) {
			t.Errorf("%s gives %+v and %v", body, f, err)
		}
	}
}

func TestOptionsAreAskedFor(t *testing.T) {
	if err := Run(context.Background(), Options{}); err == nil || !strings.Contains(err.Error(), "URL") || !strings.Contains(err.Error(), "Apply") {
		t.Errorf("got %v", err)
	}
}
