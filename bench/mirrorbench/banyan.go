package mirrorbench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"banyan.dev/banyan/adapters/binlog"
	"banyan.dev/banyan/adapters/binlog/relations"
	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// Where Banyan's mirror keeps its position.
const (
	ledger     = "banyan"
	mirrorName = "mirrorbench"
)

func storeOptions(dsn string, logger *slog.Logger) store.Options {
	return store.Options{DSN: dsn, Schema: ledger, Mirror: mirrorName, Logger: logger}
}

// sinkOptions are for the same parts and with the same defaults as `banyan serve` has. It sends to the exchange, without the
// history, which would be a second queue that the others don't send to, or by the native protocol to the history alone.
func sinkOptions(j job, logger *slog.Logger) rabbitmq.Options {
	o := rabbitmq.Options{Connection: rabbitmq.Connection{URL: j.Broker, Logger: logger}, Exchange: exchange}
	switch j.Contender {
	case batched:
		o.History.Native = &rabbitmq.Native{Port: j.StreamPort, Batch: 100}
	case native:
		o.History.Native = &rabbitmq.Native{Port: j.StreamPort}
	default:
		return o
	}
	o.Exchange, o.History.Name = "", queueName(streamKind)
	return o
}

// mirrorBanyan runs Banyan's mirror of the same parts as `banyan serve` does.
func mirrorBanyan(ctx context.Context, j job, p *rig.Progress) (err error) {
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	source, err := newSource(j.DSN, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	kept, err := store.New(storeOptions(j.DSN, logger))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	keys, err := relations.New(relations.Options{DSN: j.DSN, Logger: logger})
	if err != nil {
		return err
	}
	sink, err := rabbitmq.NewSink(sinkOptions(j, logger))
	if err != nil {
		return err
	}
	heart, err := store.NewHeartbeat(storeOptions(j.DSN, logger))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, heart.Close()) }()
	if _, err := kept.Reset(ctx, j.From); err != nil {
		return fmt.Errorf("go back to where the rows begin: %w", err)
	}
	watched := rig.WatchedSink{Sink: sink, Progress: p}
	if j.Record {
		watched.Key = orderOf
	}
	mirror.New(mirror.Options{
		Name: mirrorName, Source: source, Sink: watched, Store: kept, Relations: keys, Heart: heart,
		Ledger: ledger, Logger: logger,
	}).Run(ctx)
	return nil
}

func newSource(dsn string, logger *slog.Logger) (*binlog.Source, error) {
	return binlog.New(binlog.Options{
		DSN: dsn, Scope: func(s, _ string) bool { return s == schema || s == ledger }, Logger: logger,
	})
}

// orderOf gives the key that a message has.
func orderOf(m *change.Message) (int64, error) {
	_, key, _ := bytes.Cut(m.Body, []byte(`"key":{`))
	_, key, _ = bytes.Cut(key, []byte(":"))
	key, _, _ = bytes.Cut(key, []byte("}"))
	n, err := strconv.ParseInt(strings.Trim(string(key), `"`), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("a message about no order: %w", err)
	}
	return n, nil
}
