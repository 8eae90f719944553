package rabbitmq

import (
	"bufio"
	"context"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/mirror/change"
)

// nativeFeed is a change.Feed into a stream by the native protocol: one connection, one publisher.
type nativeFeed struct {
	*fate
	options *Options
	uri     amqp.URI
	window  *window
	entries *entries
	outlet  *outlet
	link    *nativeLink
	large   largeFeed

	// blocked says why the broker takes nothing, where that is known.
	blocked func() string
	closed  sync.Once
	running sync.WaitGroup
	stop    chan struct{}
}

// openNativeFeed connects. The stream exists.
func openNativeFeed(ctx context.Context, o *Options, shared *fate, blocked func() string) (*nativeFeed, error) {
	native := o.History.Native
	uri, err := native.uri(&o.Connection)
	if err != nil {
		return nil, err
	}
	packer, err := newCompressor(native.Compression)
	if err != nil {
		return nil, err
	}
	link, err := linkNative(ctx, &o.Connection, uri, func(l *nativeLink) error { return l.publish(o.History.Name) })
	if err != nil {
		return nil, err
	}
	exchange := o.Exchange
	if exchange == "" {
		exchange = o.History.Name
	}
	f := &nativeFeed{
		fate: shared, options: o, uri: uri, link: link, blocked: blocked, window: newWindow(o.Window, o.WindowBytes),
		entries: &entries{exchange: exchange, batch: native.Batch, most: min(enoughEntry, link.frame), compress: packer}, stop: make(chan struct{}),
	}
	// The window bounds what is pending, as in a feed by AMQP.
	f.outlet = newSealedOutlet(link, 2*o.WindowBytes+o.Window*1024+mostAnswer, f.entries.seal)
	f.running.Go(f.listen)
	f.running.Go(f.watch)
	return f, nil
}

// Send implements change.Feed.
func (f *nativeFeed) Send(ctx context.Context, m *change.Message) error {
	if err := check(m, m.Key, f.link.frame); err != nil {
		f.fail(err)
		return err
	}
	if publishHead+12+nativeSize(m, f.entries.exchange)+len(m.Body) > f.link.frame-manyHead {
		return f.sendLarge(ctx, m)
	}
	if err := f.enter(ctx, len(m.Body)); err != nil {
		return err
	}
	if err := f.outlet.append(false, func(dst []byte) []byte { return f.entries.add(dst, m) }); err != nil {
		f.fail(fmt.Errorf("send to RabbitMQ's stream: %w", err))
		return f.failure()
	}
	return nil
}

// enter waits for room for a message.
func (f *nativeFeed) enter(ctx context.Context, size int) error {
	for {
		if err := f.failure(); err != nil {
			return err
		}
		if f.window.enter(size) {
			return nil
		}
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
}

// Flush implements change.Feed.
func (f *nativeFeed) Flush(ctx context.Context) error {
	for {
		if err := f.failure(); err != nil {
			return err
		}
		if f.window.empty() {
			return nil
		}
		if err := f.wait(ctx); err != nil {
			return err
		}
	}
}

// wait waits until something was confirmed, or there is an error.
func (f *nativeFeed) wait(ctx context.Context) error {
	f.outlet.push()
	select {
	case <-f.window.room:
		return nil
	case <-f.failed:
		return f.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Confirmed implements change.Feed.
func (f *nativeFeed) Confirmed() uint64 { return f.window.confirmed() }

// Status implements change.Feed.
func (f *nativeFeed) Status() change.FeedStatus {
	status := change.FeedStatus{Blocked: f.blocked()}
	status.Sent, status.Confirmed, status.Bytes, status.Oldest = f.window.account()
	return status
}

// Close implements change.Feed.
func (f *nativeFeed) Close() error {
	f.fail(errClosed)
	f.closed.Do(func() {
		close(f.stop)
		f.large.close()
		// Whoever is still listened to hears that this is the end.
		_ = f.outlet.append(true, func(dst []byte) []byte {
			return nativeRequest(dst, nativeClose, 0, func(dst []byte) []byte { return appendNativeString(append(dst, 0, byte(nativeOK)), "OK") })
		})
		_ = f.outlet.close() // It is closed whatever it says.
		f.running.Wait()
	})
	return nil
}

// listen hears what the broker says until the connection ends.
func (f *nativeFeed) listen() {
	var buffer []byte
	r := bufio.NewReaderSize(f.link.reader, 16<<10)
	gone := false // the stream, or its leader
	for {
		if !gone && f.link.heartbeat > 0 {
			_ = f.link.SetReadDeadline(time.Now().Add(2 * f.link.heartbeat)) // What can't be set is closed.
		}
		frame, next, err := readNative(r, buffer)
		buffer = next
		switch {
		case err != nil && gone:
			f.fail(fmt.Errorf("the stream %s is not available at present", f.options.History.Name))
			return
		case err != nil:
			f.fail(fmt.Errorf("the connection to RabbitMQ's streams is lost: %w", err))
			return
		case frame.command == nativeMetadataUpdate:
			gone = true
			f.asks()
			continue
		}
		f.hear(&frame)
	}
}

// parted is how long the broker may take to say whether a stream is still there.
const parted = 5 * time.Second

// asks asks whether the stream is still there, after the broker has said that it is no longer available.
func (f *nativeFeed) asks() {
	_ = f.link.SetReadDeadline(time.Now().Add(parted)) // What can't be set is closed.
	if err := f.outlet.append(true, func(dst []byte) []byte { return nativeWhere(dst, 1, f.options.History.Name) }); err != nil {
		f.fail(fmt.Errorf("ask for the stream: %w", err))
	}
}

// hear takes a frame.
func (f *nativeFeed) hear(frame *nativeFrame) {
	body := &frame.body
	switch frame.command {
	case nativeConfirm:
		body.take(1) // the publisher
		for range body.count(8) {
			id := body.u64()
			of, found := f.entries.confirmed(id)
			if !found || !f.window.confirmEach(of.first, of.last) {
				f.fail(fmt.Errorf("RabbitMQ confirmed %d in the stream, which was not sent", id))
			}
		}
	case nativePublishError:
		body.take(1) // the publisher
		body.u32()
		body.u64()
		f.fail(fmt.Errorf("RabbitMQ could not keep a message in the stream %s: %w", f.options.History.Name, body.code()))
	case nativeMetadata | nativeAnswer:
		f.fail(f.whatOf(body))
	case nativeClose:
		f.fail(closedByBroker(frame))
	}
}

// whatOf says what has become of the stream, from what the broker knows of it.
func (f *nativeFeed) whatOf(body *nativeReader) error {
	if whereNative(body, f.options.History.Name) == nativeNoStream {
		return deletedStream(f.options.History.Name)
	}
	return fmt.Errorf("the stream %s has lost its leader", f.options.History.Name)
}

// deletedStream says what to do about a history that somebody has deleted.
func deletedStream(name string) *change.StopError {
	return &change.StopError{
		What: "the stream " + name + " was deleted, with all events that were in it",
		Fix:  "find out by whom; the mirror declares it anew when it begins again, by itself within a minute, and keeps in it what comes from its saved position on: whoever needs what was there before needs a backfill",
	}
}

// watch sends heartbeats, and gives the feed up when the broker neither confirms nor takes anything.
func (f *nativeFeed) watch() {
	const looks = 8 // for each ConfirmTimeout
	ticker := time.NewTicker(max(f.options.ConfirmTimeout/looks, time.Millisecond))
	defer ticker.Stop()
	var beat <-chan time.Time
	if f.link.heartbeat > 0 {
		beats := time.NewTicker(f.link.heartbeat / 2)
		defer beats.Stop()
		beat = beats.C
	}
	last, since := f.progress(), time.Now()
	for {
		select {
		case <-f.stop:
			return
		case <-f.failed:
			return
		case <-beat:
			f.beat()
		case now := <-ticker.C:
			if p := f.progress(); p != last || f.blocked() != "" || f.window.empty() {
				last, since = p, now
			} else if now.Sub(since) >= f.options.ConfirmTimeout {
				f.fail(fmt.Errorf("RabbitMQ has neither confirmed nor taken anything for the stream for %v, although messages wait: rabbitmq-diagnostics alarms says whether it lacks memory or disk", f.options.ConfirmTimeout))
			}
		}
	}
}

// beat tells the broker that this side lives, unless it has not taken yet what is pending.
func (f *nativeFeed) beat() {
	if !f.outlet.idle() {
		return
	}
	if err := f.outlet.append(true, func(dst []byte) []byte {
		dst, start := beginNative(dst, nativeHeartbeat)
		return endNative(dst, start)
	}); err != nil {
		f.fail(fmt.Errorf("the connection to RabbitMQ's streams is lost: %w", err))
	}
}

func (f *nativeFeed) progress() progress { return progress{f.window.confirmed(), f.outlet.progress()} }
