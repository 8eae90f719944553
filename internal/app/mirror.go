package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/binlog/relations"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/mirror"
)

// mirroring is the mirror in this process, with all that it stands on. Without one it does nothing.
type mirroring struct {
	name   string
	mirror *mirror.Mirror
	closed []io.Closer

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// openMirror puts the mirror together. Nothing runs yet.
func (a *App) openMirror() (*mirroring, error) {
	m := &mirroring{name: a.project.Config.Mirror.Name.String()}
	if !a.mirrors() {
		return m, nil
	}
	var err error
	if m.mirror, m.closed, err = NewMirror(a.project.Config, a.opts.Logger); err != nil {
		m.close()
		return nil, fmt.Errorf("mirror: %w", err)
	}
	return m, nil
}

// NewMirror puts the mirror of a config together, as serve runs it. The closers are closed once it has ended, also after
// an error.
func NewMirror(cfg *config.Config, logger *slog.Logger) (*mirror.Mirror, []io.Closer, error) {
	var closers []io.Closer
	o := mirror.Options{Name: cfg.Mirror.Name.String(), Ledger: cfg.Ledger.Schema.String(), Logger: logger}
	tables := newScope(cfg)
	if len(tables.omit) > 0 {
		o.Omit = tables.omits
	}
	source, err := binlog.New(binlog.Options{
		DSN: cfg.Legacy.DSN.Reveal(), ServerID: uint32(cfg.Mirror.ServerID), Scope: tables.reads,
		ConnectTimeout: cfg.Legacy.ConnectTimeout, Logger: logger,
	})
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, source)
	kept, err := store.New(storeOptions(cfg, logger))
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, kept)
	keys, err := relations.New(relations.Options{DSN: cfg.Legacy.DSN.Reveal(), Logger: logger})
	if err != nil {
		return nil, closers, err
	}
	sink, err := rabbitmq.NewSink(sinkOptions(cfg, logger))
	if err != nil {
		return nil, closers, err
	}
	heart, err := store.NewHeartbeat(storeOptions(cfg, logger))
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, heart)
	o.Source, o.Store, o.Relations, o.Sink, o.Heart = source, kept, keys, sink, heart
	return mirror.New(o), closers, nil
}

func storeOptions(cfg *config.Config, logger *slog.Logger) store.Options {
	return store.Options{
		DSN: cfg.Legacy.DSN.Reveal(), Schema: cfg.Ledger.Schema.String(), Mirror: cfg.Mirror.Name.String(), Logger: logger,
	}
}

func sinkOptions(cfg *config.Config, logger *slog.Logger) rabbitmq.Options {
	m := cfg.Mirror
	o := rabbitmq.Options{
		Connection: brokerConnection(cfg, "mirror "+m.Name.String(), logger), Exchange: m.Exchange.String(),
		Window: m.Window, WindowBytes: int(m.MaxMemory / memoryShare),
	}
	if m.History.Enabled {
		o.History = rabbitmq.Stream{Name: m.History.Stream.String(), MaxAge: m.History.MaxAge, MaxBytes: int64(m.History.MaxBytes)}
	}
	return o
}

// memoryShare is what part of mirror.max_memory unconfirmed messages may have: they are pending as frames, too, and the
// reader has a few binlog events in hand.
const memoryShare = 4

func brokerConnection(cfg *config.Config, name string, logger *slog.Logger) rabbitmq.Connection {
	return rabbitmq.Connection{URL: cfg.Broker.URL.Reveal(), Name: "banyan " + name, ConnectTimeout: cfg.Broker.ConnectTimeout, Logger: logger}
}

// start lets the mirror run until stop.
func (m *mirroring) start(ctx context.Context) {
	if m.mirror == nil {
		return
	}
	// The end of ctx begins the draining of calls, whose changes are still worth sending.
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	m.running.Go(func() { m.mirror.Run(ctx) })
}

// stop ends the mirror and waits for it. It may be called twice.
func (m *mirroring) stop() {
	if m.cancel != nil {
		m.cancel()
	}
	m.running.Wait()
}

// close gives up what openMirror has opened.
func (m *mirroring) close() {
	m.stop()
	for _, c := range m.closed {
		_ = c.Close() // it is of no more use
	}
	m.closed = nil
}

// Status is what /status shows.
type Status struct {
	// Mirror is null in a process that has none.
	Mirror *MirrorStatus `json:"mirror"`
}

// MirrorStatus is how the mirror of that name does.
type MirrorStatus struct {
	Name string `json:"name"`
	mirror.Status
}

func (m *mirroring) status() Status {
	if m.mirror == nil {
		return Status{}
	}
	return Status{Mirror: &MirrorStatus{Name: m.name, Status: m.mirror.Status()}}
}

func (m *mirroring) collector() prometheus.Collector {
	return newMirrorCollector(func() (mirror.Status, bool) {
		if m.mirror == nil {
			return mirror.Status{}, false
		}
		return m.mirror.Status(), true
	})
}

// errNoMirror says that a config has no mirror.
var errNoMirror = errors.New("the config has no mirror: give it broker.url, and leave mirror.enabled on")
