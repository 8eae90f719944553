package servicebench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/internal/app"
	"banyan.dev/banyan/legacy"
	"banyan.dev/banyan/legacy/entities"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// ledger is where Banyan keeps its position.
const ledger = "banyan"

func storeOptions(dsn string, logger *slog.Logger) store.Options {
	return store.Options{DSN: dsn, Schema: ledger, Mirror: mirror.ServiceName(service), Logger: logger}
}

// streamBanyan runs the service's stream, of the same parts and with the same defaults as `banyan serve` does.
func streamBanyan(ctx context.Context, j job, p *rig.Progress) (err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	loaded, err := load(ctx, j.Dir, j.DSN, j.Broker)
	if err != nil {
		return err
	}
	cfg := loaded.Config
	conns, err := pool.Open(pool.Options{DSN: j.DSN, TimeZone: cfg.Legacy.TimeZone.Name, MaxOpen: cfg.Legacy.Pool.MaxOpen, Logger: logger})
	if err != nil {
		return err
	}
	defer conns.Close()
	found, err := loaded.Program.Verify(ctx, conns)
	if err := errors.Join(err, found.Err()); err != nil {
		return err
	}
	told, err := ordersOf(loaded, legacy.New(loaded.Program, conns, int(cfg.Limits.MaxReplyBytes)))
	if err != nil {
		return err
	}
	source, err := binlog.New(binlog.Options{
		DSN: j.DSN, Scope: func(s, t string) bool { return s == ledger || s == schema && (t == "" || len(told.Of(s, t)) > 0) }, Logger: logger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	options := storeOptions(j.DSN, logger)
	kept, err := store.New(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	heart, err := store.NewHeartbeat(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heart.Close()) }()
	unread, err := store.NewUnread(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unread.Close()) }()
	sink, err := rabbitmq.NewServiceSink(rabbitmq.Options{
		Connection: rabbitmq.Connection{URL: j.Broker, Logger: logger}, Window: cfg.Mirror.Window, WindowBytes: int(cfg.Mirror.MaxMemory / 4),
	}, service)
	if err != nil {
		return err
	}
	if _, err := kept.Reset(ctx, j.From); err != nil {
		return fmt.Errorf("go back to where the changes begin: %w", err)
	}
	watched := rig.WatchedSink{Sink: sink, Progress: p}
	if j.Record {
		watched.Key = orderOf
	}
	mirror.New(mirror.Options{
		Name: options.Mirror, Ledger: ledger, Logger: logger, Source: source, Store: kept, Sink: watched, Heart: heart,
		Service: &mirror.ServiceStream{Name: service, Entities: told, Unread: unread},
	}).Run(ctx)
	return nil
}

// ordersOf tells of orders.
func ordersOf(loaded *app.Project, backend *legacy.Backend) (*entities.Entities, error) {
	event := loaded.Program.Event(orderName)
	compiler, err := expression.NewCompiler([]protoreflect.FileDescriptor{event.Entity.ParentFile()})
	if err != nil {
		return nil, err
	}
	key, issues, err := compiler.CompileKey(event.Entity, "customer_id")
	if err := errors.Join(err, issues.Err()); err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	return entities.New(entities.Options{
		Backend: backend, Contract: loaded.Contract, Schema: schema, MaxBytes: int(loaded.Config.Mirror.MaxMemory / 4),
		Entities: map[protoreflect.FullName]entities.Entity{orderName: {Event: event, Key: func(m protoreflect.Message) (string, error) {
			of, _, err := key.Of(m)
			return of, err
		}}},
	}), nil
}

// orderOf gives the id of the order that a message is about.
func orderOf(m *change.Message) (int64, error) {
	_, id, _ := bytes.Cut(m.Body, []byte(`"id":"`))
	id, _, _ = bytes.Cut(id, []byte(`"`))
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("a message about no order: %w", err)
	}
	return n, nil
}
