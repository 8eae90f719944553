package rabbitmq

import (
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// watch looks after the connection until the feed is closed.
func (f *feed) watch(n notices) {
	const looks = 8 // for each ConfirmTimeout
	ticker := time.NewTicker(max(f.patient/looks, time.Millisecond))
	defer ticker.Stop()
	last, since := f.progress(), time.Now()
	for {
		select {
		case <-f.stop:
			return
		case err, told := <-n.connection:
			f.lost(err)
			if !told {
				n.connection = nil
			}
		case err, told := <-n.channel:
			f.interrupted(err)
			if !told {
				n.channel = nil
			}
		case change, told := <-n.blocked:
			if !told {
				n.blocked = nil
				continue
			}
			f.block(change)
		case now := <-ticker.C:
			if p := f.progress(); p != last || f.blocked.Load() != nil || f.window.empty() {
				last, since = p, now
			} else if now.Sub(since) >= f.patient {
				f.fail(fmt.Errorf("RabbitMQ has neither confirmed nor taken anything for %v, although messages wait", f.patient))
			}
		}
	}
}

type progress struct{ confirmed, written uint64 }

func (f *feed) progress() progress {
	return progress{f.window.confirmed(), f.outlet.progress()}
}

// lost notes the end of the connection.
func (f *feed) lost(err *amqp.Error) {
	if err == nil {
		f.fail(errors.New("the connection to RabbitMQ was closed"))
		return
	}
	f.fail(fmt.Errorf("the connection to RabbitMQ is lost: %w", err))
}

// interrupted notes the end of the channel.
func (f *feed) interrupted(err *amqp.Error) {
	if err == nil {
		f.fail(errors.New("the channel to RabbitMQ was closed"))
		return
	}
	if err.Server && f.broken != nil {
		if stop := f.broken(err); stop != nil {
			f.fail(stop)
			return
		}
	}
	f.fail(fmt.Errorf("RabbitMQ closed the channel: %w", err))
}

// block notes that the broker takes nothing more, or something again.
func (f *feed) block(b amqp.Blocking) {
	if !b.Active {
		f.blocked.Store(nil)
		f.logger.Info("RabbitMQ takes messages again")
		return
	}
	reason := b.Reason
	if reason == "" {
		reason = "no reason given"
	}
	f.blocked.Store(&reason)
	f.logger.Warn("RabbitMQ takes no messages at present", "reason", reason)
}
