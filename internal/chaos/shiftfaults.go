package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/protocol"
)

// startService starts both processes of the new service, of which the first takes calls.
func (r *shiftRun) startService() error {
	elsewhere, err := freeAddress()
	if err != nil {
		return err
	}
	for _, p := range []struct {
		process **child
		at, log string
	}{{&r.service, r.at, "service.log"}, {&r.second, elsewhere, "second.log"}} {
		arguments, err := r.System.service(r, p.at)
		if err != nil {
			return err
		}
		started := &child{command: append(slices.Clone(r.Service), arguments...), log: filepath.Join(r.Dir, p.log), env: os.Environ()}
		*p.process = started
		if err := started.start(); err != nil {
			return err
		}
		r.stops = append(r.stops, func(context.Context) error { started.kill(); return nil })
	}
	return nil
}

// faults are what happens to processes and servers. All run again when it returns.
func (r *shiftRun) faults(ctx context.Context) error {
	if r.Calm {
		<-ctx.Done()
		return nil
	}
	whole := context.WithoutCancel(ctx)
	quiet := func() { pause(ctx, time.Duration(1500+r.random.IntN(2500))*time.Millisecond) }
	for quiet(); ctx.Err() == nil; quiet() {
		kinds := []string{"replica", "replica", "pause", "service", "service", "second", "second", "leave", "illness", "illness", "binding", "broker", "database"}
		fault := kinds[r.random.IntN(len(kinds))]
		which := r.random.IntN(2)
		r.report.fault(fault)
		r.Log.Debug("fault", "what", fault, "which", which)
		var err error
		switch fault {
		case "replica":
			r.replicas[which].kill()
			pause(ctx, time.Duration(r.random.IntN(1500))*time.Millisecond)
			err = r.replicas[which].start()
		case "pause":
			err = r.replicas[which].signal(stopSignal)
			pause(ctx, time.Duration(500+r.random.IntN(5000))*time.Millisecond)
			err = errors.Join(err, r.replicas[which].signal(goOnSignal))
		case "service":
			r.service.kill()
			pause(ctx, time.Duration(r.random.IntN(1000))*time.Millisecond)
			err = r.service.start()
		case "second":
			r.second.kill()
			pause(ctx, time.Duration(r.random.IntN(8000))*time.Millisecond) // the other knows after six seconds
			err = r.second.start()
		case "leave":
			err = r.second.leave()
			pause(ctx, time.Duration(r.random.IntN(2000))*time.Millisecond)
			err = errors.Join(err, r.second.start())
		case "illness":
			if err = r.sicken(r.random.IntN(ills)); err == nil {
				r.Log.Debug("ill", "parked", r.parked(whole) == nil) // what is parked, retries count
			}
			pause(ctx, time.Duration(r.random.IntN(2000))*time.Millisecond)
			err = errors.Join(err, r.heal(whole))
		case "binding":
			err = r.unbind(r.random.IntN(protocol.Partitions))
			pause(ctx, time.Duration(r.random.IntN(2000))*time.Millisecond)
			r.service.kill() // its start puts the binding back
			err = errors.Join(err, r.service.start())
		case "broker":
			r.broker.Kill()
			err = r.broker.Restart(whole)
		case "database":
			r.database.Kill()
			err = r.database.Restart(whole)
		}
		if err != nil {
			return fmt.Errorf("the fault %s: %w", fault, err)
		}
	}
	return nil
}

// unbind takes a partition away from whichever of the service's queues has it.
func (r *shiftRun) unbind(partition int) error {
	conn, err := amqp.Dial(r.broker.URL("/"))
	if err != nil {
		return fmt.Errorf("reach the broker: %w", err)
	}
	defer conn.Close() //nolint:errcheck // nothing depends on it any more
	channel, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	for _, n := range protocol.QueueLayouts() {
		queue := protocol.QueueName(r.System.name(), n, partition%n)
		if _, err := channel.QueueDeclarePassive(queue, true, false, false, false, nil); err != nil {
			if channel, err = conn.Channel(); err != nil {
				return fmt.Errorf("open a channel: %w", err)
			}
			continue
		}
		if err := channel.QueueUnbind(queue, protocol.RoutingKey(partition), protocol.ExchangeName(r.System.name()), nil); err != nil {
			return fmt.Errorf("unbind %s: %w", queue, err)
		}
	}
	return nil
}
