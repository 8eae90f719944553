package app

import (
	"io"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/entities"
	"banyan.dev/banyan/mirror"
)

// serviceMirror is the name of a service's stream.
func serviceMirror(service string) string { return mirror.ServiceName(service) }

// newServiceMirror puts the stream of a service together. The closers are closed once it has ended, also after an error.
func (a *App) newServiceMirror(service string, backend *legacy.Backend, fills *mirror.Fills) (*mirror.Mirror, []io.Closer, error) {
	cfg, logger := a.project.Config, a.opts.Logger.With("stream", service)
	var closers []io.Closer
	tables := newScope(cfg)
	told := entities.New(entities.Options{
		Backend: backend, Contract: a.project.Contract, Schema: tables.schema, FoldCase: a.project.lower, Entities: a.project.entitiesOf(service),
		Protobuf: cfg.Services[service].Format == config.EventProtobuf, MaxBytes: int(cfg.Mirror.MaxMemory / memoryShare),
	})
	source, err := binlog.New(binlog.Options{
		DSN: cfg.Legacy.DSN.Reveal(), Scope: tables.readsFor(told), ConnectTimeout: cfg.Legacy.ConnectTimeout, Logger: logger,
	})
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, source)
	options := storeOptions(cfg, logger)
	options.Mirror = serviceMirror(service)
	kept, err := store.New(options)
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, kept)
	heart, err := store.NewHeartbeat(options)
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, heart)
	unread, err := store.NewUnread(options)
	if err != nil {
		return nil, closers, err
	}
	closers = append(closers, unread)
	sink, err := rabbitmq.NewServiceSink(rabbitmq.Options{
		Connection: brokerConnection(cfg, "stream "+service, logger), Window: cfg.Mirror.Window, WindowBytes: int(cfg.Mirror.MaxMemory / memoryShare),
	}, service)
	if err != nil {
		return nil, closers, err
	}
	return mirror.New(mirror.Options{
		Name: serviceMirror(service), Ledger: cfg.Ledger.Schema.String(), Logger: logger, Source: source, Store: kept, Sink: sink, Heart: heart, Fills: fills,
		Service: &mirror.ServiceStream{Name: service, Entities: told, Told: a.project.onlyTold(service), Unread: unread},
	}), closers, nil
}

// readsFor gives which tables a service's stream has to see the changes of: those that tell of its entities, and Banyan's own. What
// concerns a whole schema concerns it where it has such tables, or is the DSN's.
func (s scope) readsFor(told mirror.Entities) func(schema, table string) bool {
	return func(schema, table string) bool {
		return schema == s.ledger || (table == "" && schema == s.schema) || len(told.Of(schema, table)) > 0
	}
}
