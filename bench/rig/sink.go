package rig

import (
	"context"

	"banyan.dev/banyan/mirror/change"
)

// WatchedSink tells Progress of what is sent to a sink, and confirmed.
type WatchedSink struct {
	change.Sink
	Progress *Progress
	// Key gives the key that a message is about; nil: nobody asks.
	Key func(m *change.Message) (int64, error)
}

// Open opens the sink.
func (s WatchedSink) Open(ctx context.Context) (change.Feed, error) {
	feed, err := s.Sink.Open(ctx)
	if err != nil {
		return nil, err
	}
	s.Progress.Follow(feed.Confirmed)
	if s.Key != nil {
		feed = watchedFeed{feed, s}
	}
	return feed, nil
}

type watchedFeed struct {
	change.Feed
	sink WatchedSink
}

// Send notes the key that the message has, and sends it.
func (f watchedFeed) Send(ctx context.Context, m *change.Message) error {
	key, err := f.sink.Key(m)
	if err != nil {
		return err
	}
	f.sink.Progress.Sent(key)
	return f.Feed.Send(ctx, m)
}
