package consumer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"banyan.dev/banyan/protocol"
)

// Options say what Run consumes, and how. URL, Service, Store and Apply are needed.
type Options struct {
	// URL is the broker's address, such as amqp://user:password@host:5672/vhost. TLS is for amqps; nil is the system's.
	URL string
	TLS *tls.Config
	// Service is the service's name in banyan.yaml.
	Service string
	// Store keeps what has been done. Its tables must be there: call Migrate before.
	Store *Store
	// Apply makes the service's tables equal an event.
	Apply Apply
	// Logger gets what people should know; nil is slog's default.
	Logger *slog.Logger
	// Name is what the broker's tools show the connection as; empty is the service's name.
	Name string

	// Queues is how many queues share the 64 partitions: 1 (the default), 2, 4, 8, 16, 32 or 64. Each is taken by one process at
	// a time, and each process takes as many of them as any other; so it bounds how many can work at once. All processes of a
	// service have the same number, which is kept in the Store: a greater one holds from then on for all, a smaller one is
	// passed over.
	Queues int

	// Prefetch is how many messages of each queue wait here at most, 200 by default and 65535 at most; Batch is how many events share a transaction at most,
	// 50 by default. Of large ones there are fewer: about 16 MiB of each queue wait, and 8 MiB share a transaction, or one
	// message that is larger.
	Prefetch, Batch int
	// Attempts is how often an event is tried before it is parked, 5 by default, with a pause between that grows from Pause,
	// 100 ms by default.
	Attempts int
	Pause    time.Duration
}

// withDefaults gives the options with what was left out, or what is missing.
func (o Options) withDefaults() (Options, error) {
	var wrong error
	if o.URL == "" {
		wrong = errors.Join(wrong, errors.New("consumer: Options.URL is missing: where is the broker?"))
	}
	if o.Service == "" || len(o.Service) > 100 {
		wrong = errors.Join(wrong, errors.New("consumer: Options.Service is missing or longer than 100 bytes: what is the service called in banyan.yaml?"))
	}
	if o.Store == nil || o.Apply == nil {
		wrong = errors.Join(wrong, errors.New("consumer: Options.Store or Options.Apply is missing"))
	}
	o.Queues = orDefault(o.Queues, 1)
	if !slices.Contains(protocol.QueueLayouts(), o.Queues) {
		wrong = errors.Join(wrong, fmt.Errorf("consumer: Options.Queues is %d: it is one of %v", o.Queues, protocol.QueueLayouts()))
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = o.Logger.With("service", o.Service)
	if o.Name == "" {
		o.Name = o.Service
	}
	if o.Prefetch = orDefault(o.Prefetch, 200); o.Prefetch > math.MaxUint16 {
		wrong = errors.Join(wrong, fmt.Errorf("consumer: Options.Prefetch is %d: AMQP has room for %d at most", o.Prefetch, math.MaxUint16))
	}
	o.Batch = min(orDefault(o.Batch, 50), o.Prefetch)
	o.Attempts = orDefault(o.Attempts, 5)
	o.Pause = orDefault(o.Pause, 100*time.Millisecond)
	return o, wrong
}

func orDefault[N int | time.Duration](n, otherwise N) N {
	if n <= 0 {
		return otherwise
	}
	return n
}
