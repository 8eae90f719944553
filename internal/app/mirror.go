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
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/strangler/backfill"
)

// mirroring is what of the mirror runs in this process, with all that it stands on: the mirror of rows, and a stream for
// each service. Without one it does nothing.
type mirroring struct {
	mirrors []named
	closed  []io.Closer
	// book keeps backfills, and beside runs with the mirrors.
	book   *store.Backfills
	beside []func(context.Context)

	cancel  context.CancelFunc
	running sync.WaitGroup
}

// named is a mirror with its name. That of rows comes first.
type named struct {
	name   string
	mirror *mirror.Mirror
}

// openMirror puts the mirrors together. Nothing runs yet.
func (a *App) openMirror(backend *legacy.Backend, conns *pool.Pool) (*mirroring, error) {
	m := &mirroring{}
	if !a.mirrors() {
		return m, nil
	}
	add := func(name string, made *mirror.Mirror, closers []io.Closer, err error) error {
		m.closed = append(m.closed, closers...)
		if err != nil {
			m.close()
			return fmt.Errorf("mirror %s: %w", name, err)
		}
		m.mirrors = append(m.mirrors, named{name, made})
		return nil
	}
	var err error
	if m.book, err = store.NewBackfills(storeOptions(a.project.Config, a.opts.Logger)); err != nil {
		return nil, fmt.Errorf("backfills: %w", err)
	}
	m.closed = append(m.closed, m.book)
	name := a.project.Config.Mirror.Name.String()
	made, closers, err := NewMirror(a.project.Config, m.book, a.opts.Logger)
	if err := add(name, made, closers, err); err != nil {
		return nil, err
	}
	services := a.project.Config.ServiceNames()
	if len(services) == 0 {
		return m, nil
	}
	announcing, err := a.openAnnouncing(backend, conns)
	if err != nil {
		m.close()
		return nil, fmt.Errorf("backfills of entities: %w", err)
	}
	m.closed = append(m.closed, announcing)
	m.beside = append(m.beside, announcing.answers.Run)
	for _, service := range services {
		made, closers, err := a.newServiceMirror(service, backend, &mirror.Fills{Book: m.book, Announcer: &announcer{announcing, service}})
		if err := add(serviceMirror(service), made, closers, err); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// NewMirror puts the mirror of a config together, as serve runs it. The closers are closed once it has ended, also after
// an error.
func NewMirror(cfg *config.Config, book backfill.Book, logger *slog.Logger) (*mirror.Mirror, []io.Closer, error) {
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
	rows, err := binlog.NewTables(binlog.Options{DSN: cfg.Legacy.DSN.Reveal(), ConnectTimeout: cfg.Legacy.ConnectTimeout, Logger: logger})
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, rows)
	o.Fills = &mirror.Fills{Book: book, Tables: rows, Has: tables.has}
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
		o.History = rabbitmq.Stream{Name: m.History.Stream.String(), MaxAge: m.History.MaxAge, MaxBytes: int64(m.History.MaxBytes), Native: nativeHistory(cfg)}
		if m.History.Only {
			o.Exchange = ""
		}
	}
	return o
}

// nativeHistory says how RabbitMQ's stream protocol is spoken; nil where it isn't.
func nativeHistory(cfg *config.Config) *rabbitmq.Native {
	h := cfg.Mirror.History
	if !h.Native() {
		return nil
	}
	return &rabbitmq.Native{URL: h.URL.Reveal(), Port: h.Port, Batch: h.Batch, Compression: string(h.Compression)}
}

// memoryShare is what part of mirror.max_memory unconfirmed messages may have: they are pending as frames, too, and the
// reader has a few binlog events in hand.
const memoryShare = 4

func brokerConnection(cfg *config.Config, name string, logger *slog.Logger) rabbitmq.Connection {
	return rabbitmq.Connection{URL: cfg.Broker.URL.Reveal(), Name: "banyan " + name, ConnectTimeout: cfg.Broker.ConnectTimeout, Logger: logger}
}

// start lets the mirrors run until stop.
func (m *mirroring) start(ctx context.Context) {
	if len(m.mirrors) == 0 {
		return
	}
	// The end of ctx begins the draining of calls, whose changes are still worth sending.
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, run := range m.beside {
		m.running.Go(func() { run(ctx) })
	}
	for _, one := range m.mirrors {
		m.running.Go(func() { one.mirror.Run(ctx) })
	}
}

// stop ends the mirrors and waits for them. It may be called twice.
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
	// Mirror is that of rows; null in a process that has none. Services are the streams of services.
	Mirror   *MirrorStatus  `json:"mirror"`
	Services []MirrorStatus `json:"services,omitempty"`
}

// MirrorStatus is how the mirror of that name does.
type MirrorStatus struct {
	Name string `json:"name"`
	mirror.Status
}

func (m *mirroring) status() Status {
	var out Status
	for i, one := range m.mirrors {
		status := MirrorStatus{Name: one.name, Status: one.mirror.Status()}
		if i == 0 {
			out.Mirror = &status
		} else {
			out.Services = append(out.Services, status)
		}
	}
	return out
}

// register adds the mirrors' metrics, each with the name of its mirror.
func (m *mirroring) register(registry *prometheus.Registry) {
	for _, one := range m.mirrors {
		prometheus.WrapRegistererWith(prometheus.Labels{"mirror": one.name}, registry).MustRegister(newMirrorCollector(one.mirror.Status))
	}
}

// errNoMirror says that a config has no mirror.
var errNoMirror = errors.New("the config has no mirror: give it broker.url, and leave mirror.enabled on")
