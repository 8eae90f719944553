package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/config"
	"banyan.dev/banyan/mirror/change"
)

// OpenHistory begins to read the events that a config's history keeps. Close it.
func OpenHistory(ctx context.Context, cfg *config.Config, from rabbitmq.From, toEnd bool, logger *slog.Logger) (*rabbitmq.History, error) {
	switch {
	case cfg.Broker.URL.Reveal() == "":
		return nil, errNoMirror
	case !cfg.Mirror.History.Enabled:
		return nil, errors.New("the config keeps no history: set mirror.history.enabled to true")
	}
	return rabbitmq.OpenHistory(ctx, rabbitmq.HistoryOptions{
		Connection: brokerConnection(cfg, "events", logger), Stream: cfg.Mirror.History.Stream.String(), Native: nativeHistory(cfg), From: from, ToEnd: toEnd,
	})
}

// OpenQueue gives a feed into one queue that exists. Close it.
func OpenQueue(ctx context.Context, cfg *config.Config, queue string, logger *slog.Logger) (change.Feed, error) {
	if queue == cfg.Mirror.History.Stream.String() {
		return nil, fmt.Errorf("%s is the history itself: events that were sent there again would be in it twice", queue)
	}
	return rabbitmq.SendTo(ctx, rabbitmq.QueueOptions{Connection: brokerConnection(cfg, "events", logger), Queue: queue})
}
