package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/internal/chaos/replica"
)

// tail reads a history stream from its first message on, each message once, whatever happens to the broker meanwhile.
type tail struct {
	url, stream string
	log         *slog.Logger
	next        int64
}

// receiver gets what a tail reads, on its goroutine. An error ends the reading.
type receiver interface {
	// receive takes an event and its routing key.
	receive(ctx context.Context, key string, d *replica.Delivery) error
	// idle is called when nothing more is there at present.
	idle(ctx context.Context) error
}

// fatal is an error that trying again does not help against.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

const (
	tailAhead = 2000                  // messages that the broker sends ahead
	tailIdle  = 30 * time.Millisecond // without a message it is idle
	tailPause = 200 * time.Millisecond
)

// run reads until ctx ends, which is no error, or until to fails.
func (t *tail) run(ctx context.Context, to receiver) error {
	for {
		err := t.read(ctx, to)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was told to end
		}
		var stop fatal
		if errors.As(err, &stop) {
			return stop.error
		}
		t.log.Debug("the reading of the history begins again", "offset", t.next, "cause", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tailPause):
		}
	}
}

// read reads over one connection.
func (t *tail) read(ctx context.Context, to receiver) error {
	connection, err := amqp.DialConfig(t.url, amqp.Config{Dial: amqp.DefaultDial(5 * time.Second), Heartbeat: 5 * time.Second})
	if err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	defer connection.Close() //nolint:errcheck // what was read was read
	channel, err := connection.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := channel.Qos(tailAhead, 0, false); err != nil {
		return fmt.Errorf("set the prefetch: %w", err)
	}
	var from any = "first"
	if t.next > 0 {
		from = t.next
	}
	deliveries, err := channel.ConsumeWithContext(ctx, t.stream, "", false, false, false, false, amqp.Table{"x-stream-offset": from})
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	unacked := 0
	timer := time.NewTimer(tailIdle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			if err := to.idle(ctx); err != nil {
				return fatal{err}
			}
		case d, open := <-deliveries:
			if !open {
				return errors.New("the broker ended the reading")
			}
			timer.Reset(tailIdle)
			if err := t.take(ctx, to, &d); err != nil {
				return err
			}
			if unacked++; unacked >= tailAhead/4 {
				if err := d.Ack(true); err != nil {
					return fmt.Errorf("ack: %w", err)
				}
				unacked = 0
			}
		}
	}
}

func (t *tail) take(ctx context.Context, to receiver, d *amqp.Delivery) error {
	offset, ok := d.Headers["x-stream-offset"].(int64)
	if !ok {
		return fatal{fmt.Errorf("a message of the stream %s has no offset", t.stream)}
	}
	if offset < t.next {
		return nil // a stream gives whole chunks
	}
	attribute := func(name string) string {
		text, _ := d.Headers["cloudEvents:"+name].(string)
		return text
	}
	e := &replica.Delivery{ID: attribute("id"), Version: attribute("banyanversion"), Term: attribute("banyanterm"), Body: d.Body}
	if err := to.receive(ctx, d.RoutingKey, e); err != nil {
		return fatal{err}
	}
	t.next = offset + 1
	return nil
}

// created gives the table that an event with this routing key says was made.
func created(key string) (table string, ok bool) {
	table, ok = strings.CutSuffix(key, ".create")
	if !ok {
		return "", false
	}
	return strings.CutPrefix(table, "row.")
}
