package consumer

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/protocol"
)

// leaks fails the test when goroutines are left after its clean-ups that were registered later.
func leaks(t *testing.T) {
	t.Helper()
	devstack.RabbitMQ(t)
	before := goleak.IgnoreCurrent()
	servers := goleak.IgnoreAnyFunction("banyan.dev/banyan/internal/devstack.(*process).supervise")
	t.Cleanup(func() { goleak.VerifyNone(t, before, servers) })
}

// eventually polls until condition gives nil.
func eventually(t testing.TB, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %v", err)
		}
		<-tick.C
	}
}

// service is a service's database: things, with the text that an event or a write gave them.
type service struct {
	at    place
	db    *sql.DB
	store *Store

	mu     sync.Mutex
	broken map[string]bool // entities whose events can't be applied
	order  []string        // what was applied, as "id=text", also where it was not committed
}

func newService(t testing.TB, at place, options StoreOptions) *service {
	t.Helper()
	db, err := sql.Open(at.driver, at.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	options.Dialect = at.dialect
	s := &service{at: at, db: db, store: NewStore(db, options), broken: map[string]bool{}}
	for range 2 {
		if err := s.store.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS things (id VARCHAR(100) PRIMARY KEY, body VARCHAR(1000) NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *service) apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error {
	s.mu.Lock()
	broken := s.broken[e.ID]
	body := strings.Trim(string(e.Data), `"`)
	s.order = append(s.order, e.ID+"="+body)
	s.mu.Unlock()
	// What is done before the failure must not stay.
	if err := s.set(ctx, tx, e.ID, body, e.Deleted); err != nil {
		return err
	}
	switch {
	case broken && strings.HasPrefix(e.ID, "p"):
		panic("out of order")
	case broken:
		return fmt.Errorf("thing %s is broken", e.ID)
	}
	return nil
}

func (s *service) set(ctx context.Context, tx *sql.Tx, id, body string, deleted bool) error {
	if deleted {
		_, err := tx.ExecContext(ctx, s.at.spelled("DELETE FROM things WHERE id = ?"), id)
		return err
	}
	upsert := "INSERT INTO things VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body"
	if s.at.dialect == MySQL {
		upsert = "INSERT INTO things VALUES (?, ?) ON DUPLICATE KEY UPDATE body = VALUES(body)"
	}
	_, err := tx.ExecContext(ctx, s.at.spelled(upsert), id, body)
	return err
}

func (s *service) repair(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.broken, id)
}

// body gives what a thing has; empty when there is none.
func (s *service) body(t testing.TB, id string) string {
	t.Helper()
	var body string
	if err := s.db.QueryRowContext(context.Background(), s.at.spelled("SELECT COALESCE((SELECT body FROM things WHERE id = ?), '')"), id).Scan(&body); err != nil {
		t.Fatal(err)
	}
	return body
}

// has waits until a thing has a body.
func (s *service) has(t testing.TB, id, body string) {
	t.Helper()
	eventually(t, func() error {
		if got := s.body(t, id); got != body {
			return fmt.Errorf("thing %s has %q, want %q", id, got, body)
		}
		return nil
	})
}

// run consumes until the test ends, or until the function that it gives is called.
func (s *service) run(t testing.TB, url string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{
			URL: url, Service: "things", Store: s.store, Apply: s.apply, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			Attempts: 3, Pause: time.Millisecond,
		})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// event makes an event of version n about a thing of customer key.
func event(n int, origin protocol.Origin, key, id, body string) protocol.EntityEvent {
	e := protocol.EntityEvent{Entity: "test.Thing", ID: id, Key: key, Origin: origin, Version: version(n), Event: fmt.Sprint("0-1-", n)}
	if e.Deleted = body == ""; !e.Deleted {
		e.Data = json.RawMessage(strconv.Quote(body))
	} else {
		e.Key = ""
	}
	return e
}

// elsewhere gives an event as it comes again from the log of another server, in a later epoch.
func elsewhere(e protocol.EntityEvent, epoch int) protocol.EntityEvent {
	e.Version = fmt.Sprintf("%04x", epoch) + e.Version[4:]
	return e
}

func version(n int) string { return fmt.Sprintf("0001-0000000c-%012x-00000001", n) }

// broker is Banyan's side of a service's queue.
type broker struct {
	conn    *amqp.Connection
	channel *amqp.Channel
	answers string
	replies <-chan amqp.Delivery
}

func newBroker(t testing.TB, url string) *broker {
	t.Helper()
	b := &broker{}
	eventually(t, func() (err error) {
		b.conn, err = amqp.Dial(url)
		return err
	})
	t.Cleanup(func() { _ = b.conn.Close() })
	var err error
	if b.channel, err = b.conn.Channel(); err != nil {
		t.Fatal(err)
	}
	if err := b.channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	if err := b.channel.ExchangeDeclare("banyan.service.things", "direct", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	q, err := b.channel.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.answers = q.Name
	if b.replies, err = b.channel.Consume(q.Name, "", true, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	return b
}

// bound waits until the service's queues are bound, the last partition last, so that nothing that is sent is lost.
func (b *broker) bound(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		c, err := b.conn.Channel()
		if err != nil {
			return err
		}
		defer c.Close()
		returned := c.NotifyReturn(make(chan amqp.Return, 1))
		if err := c.Confirm(false); err != nil {
			return err
		}
		d, err := c.PublishWithDeferredConfirm("banyan.service.things", protocol.RoutingKey(protocol.Partitions-1), true, false, message(protocol.TypeFence, protocol.Fence{ID: "bound"}))
		if err != nil {
			return err
		}
		d.Wait()
		select {
		case <-returned:
			return fmt.Errorf("nothing is bound")
		default:
			return nil
		}
	})
}

func message(kind string, body any) amqp.Publishing {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return amqp.Publishing{Headers: amqp.Table{headerType: kind, "cloudEvents:id": "x"}, DeliveryMode: amqp.Persistent, Body: text}
}

// send sends messages in their order, and waits until the broker has them.
func (b *broker) send(t testing.TB, messages ...amqp.Publishing) {
	t.Helper()
	for _, m := range messages {
		eventually(t, func() error { // a queue without a leader takes nothing for a while
			d, err := b.channel.PublishWithDeferredConfirm("banyan.service.things", protocol.RoutingKey(0), false, false, m)
			if err != nil {
				t.Fatal(err)
			}
			if !d.Wait() {
				return errors.New("the broker took it not")
			}
			return nil
		})
	}
}

func (b *broker) events(t testing.TB, events ...protocol.EntityEvent) {
	t.Helper()
	for _, e := range events {
		b.send(t, message(protocol.TypeEntity, e))
	}
}

// fence sends a fence, and gives the answer.
func (b *broker) fence(t testing.TB, f protocol.Fence) protocol.Answer {
	t.Helper()
	m := message(protocol.TypeFence, f)
	m.ReplyTo, m.CorrelationId = b.answers, "c-"+f.ID
	b.send(t, m)
	return b.answer(t, f.ID)
}

// answer waits for the answer to a fence.
func (b *broker) answer(t testing.TB, id string) protocol.Answer {
	t.Helper()
	late := time.NewTimer(2 * time.Minute)
	defer late.Stop()
	for {
		select {
		case m, open := <-b.replies:
			if !open {
				t.Fatal("the connection was lost")
			}
			var a protocol.Answer
			if err := json.Unmarshal(m.Body, &a); err != nil {
				t.Fatal(err)
			}
			if a.Fence == id && m.CorrelationId == "c-"+id {
				return a
			}
		case <-late.C:
			t.Fatalf("fence %s is not answered", id)
		}
	}
}
