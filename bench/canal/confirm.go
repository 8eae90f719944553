package canal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// keepEvery is the time between two writings of the position.
const keepEvery = time.Second

// outlet is what is published, and not confirmed yet.
type outlet struct {
	channel  *amqp.Channel
	exchange string
	returned <-chan amqp.Return
	// window has what is published and not confirmed, in order, and the positions between transactions. It blocks who
	// publishes when it is full.
	window    chan sent
	confirmed *atomic.Uint64
}

// sent is a message under way, or a position behind those before it.
type sent struct {
	confirm  *amqp.DeferredConfirmation
	position Position
}

// newOutlet makes one of a channel, on which confirms are asked for.
func newOutlet(channel *amqp.Channel, exchange string, window int, confirmed *atomic.Uint64) (*outlet, error) {
	if err := channel.Confirm(false); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	return &outlet{channel, exchange, channel.NotifyReturn(make(chan amqp.Return, 1)), make(chan sent, window), confirmed}, nil
}

// publish sends a message, which somebody has to take.
func (o *outlet) publish(ctx context.Context, key string, m amqp.Publishing) error {
	confirm, err := o.channel.PublishWithDeferredConfirm(o.exchange, key, true, false, m)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return o.push(ctx, sent{confirm: confirm})
}

func (o *outlet) push(ctx context.Context, s sent) error {
	select {
	case o.window <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reap waits for the confirms in order, and keeps the position behind those that came in a file.
func (o *outlet) reap(ctx context.Context, file string) (err error) {
	var at, kept Position
	save := func() error {
		if at == kept {
			return nil
		}
		kept = at
		return at.keep(file)
	}
	defer func() { err = errors.Join(err, save()) }()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := save(); err != nil {
				return err
			}
		case s := <-o.window:
			if s.confirm == nil {
				at = s.position
				continue
			}
			acked, err := s.confirm.WaitContext(ctx)
			if err != nil {
				return nil // ctx has ended
			}
			if !acked {
				return errors.New("the broker refused a message, or is gone")
			}
			select {
			case r := <-o.returned: // it came before the confirm
				return fmt.Errorf("nobody takes %s: %s", r.RoutingKey, r.ReplyText)
			default:
			}
			o.confirmed.Add(1)
		}
	}
}

// keep writes a position into a file, whole or not at all.
func (p Position) keep(file string) (err error) {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "position-")
	if err != nil {
		return fmt.Errorf("keep the position: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep the position: %w", errors.Join(err, os.Remove(f.Name())))
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return fmt.Errorf("keep the position: %w", err)
	}
	return nil
}
