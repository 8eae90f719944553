package pool

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxVictims   = 1024
	killTimeout  = 2 * time.Second
	killerLinger = 10 * time.Second
	killRetry    = 200 * time.Millisecond
	killerDrain  = time.Second
)

// killer ends abandoned statements in the server: cutting a connection does not, the server notices only when it next
// writes to it. One worker does so over one small connection, which is kept for a while after use.
type killer struct {
	dialer  *dialer
	timeout time.Duration
	log     *slog.Logger
	victims chan uint64
	cancel  context.CancelFunc
	done    sync.WaitGroup
	killed  atomic.Uint64
	failed  atomic.Uint64

	// These belong to the worker.
	wire wire
	net  net.Conn
	id   uint64
}

func startKiller(d *dialer, timeout time.Duration, log *slog.Logger) *killer {
	ctx, cancel := context.WithCancel(context.Background())
	k := &killer{dialer: d, timeout: timeout, log: log, victims: make(chan uint64, maxVictims), cancel: cancel}
	k.done.Go(func() { k.work(ctx) })
	return k
}

// kill has the server end connection id, soon. It never blocks.
func (k *killer) kill(id uint64) {
	select {
	case k.victims <- id:
	default:
		k.failed.Add(1)
		k.log.Warn("too many abandoned statements at once; the server ends this one only when it next writes to its caller", "connection_id", id)
	}
}

// close stops the worker and waits for it. It may be called twice.
func (k *killer) close() {
	k.cancel()
	k.done.Wait()
}

func (k *killer) work(ctx context.Context) {
	defer k.disconnect()
	linger := time.NewTimer(killerLinger)
	defer linger.Stop()
	for {
		select {
		case <-ctx.Done():
			k.drain()
			return
		case <-linger.C:
			k.disconnect()
		case id := <-k.victims:
			k.end(ctx, id)
			linger.Reset(killerLinger)
		}
	}
}

// drain ends what is still to be ended when the pool closes, without much patience.
func (k *killer) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), killerDrain)
	defer cancel()
	for {
		select {
		case id := <-k.victims:
			if err := k.try(ctx, id); err != nil {
				k.disconnect()
				k.gaveUp(id, err)
				continue
			}
			k.killed.Add(1)
		default:
			return
		}
	}
}

// end ends a connection in the server, with a second try over a new connection.
func (k *killer) end(ctx context.Context, id uint64) {
	err := k.try(ctx, id)
	if err != nil {
		k.disconnect()
		pause := time.NewTimer(killRetry)
		defer pause.Stop()
		select {
		case <-ctx.Done():
		case <-pause.C:
			err = k.try(ctx, id)
		}
	}
	switch {
	case err == nil:
		k.killed.Add(1)
	case ctx.Err() != nil: // the pool was closed meanwhile: drain tries once more
		k.disconnect()
		k.kill(id)
	default:
		k.disconnect()
		k.gaveUp(id, err)
	}
}

func (k *killer) gaveUp(id uint64, err error) {
	k.failed.Add(1)
	k.log.Warn("an abandoned statement could not be ended in the legacy server; it may run on there", "connection_id", id, "error", err)
}

func (k *killer) try(ctx context.Context, id uint64) error {
	if err := k.connect(ctx); err != nil {
		return err
	}
	if id > k.id { // the victim is younger than our connection
		k.disconnect()
		if err := k.connect(ctx); err != nil {
			return err
		}
		if id > k.id { // a number not yet given out: its server is gone, and its statements with it
			return nil
		}
	}
	if err := k.net.SetDeadline(time.Now().Add(killTimeout)); err != nil {
		return err
	}
	_, err := k.wire.Exec("KILL "+strconv.FormatUint(id, 10), nil)
	if isNumber(err, errNoSuchThread) {
		return nil
	}
	return err
}

// connect makes the connection unless there is one.
func (k *killer) connect(ctx context.Context) error {
	if k.wire != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	w, dialed, err := k.dialer.open(ctx)
	if err != nil {
		return err
	}
	k.wire, k.net = w, dialed
	row, err := firstRow(w, "SELECT CONNECTION_ID()", 1)
	if err == nil {
		k.id, err = strconv.ParseUint(row[0], 10, 64)
	}
	if err != nil {
		k.disconnect()
	}
	return err
}

func (k *killer) disconnect() {
	if k.wire != nil {
		_ = k.wire.Close() // given up
		k.wire, k.net, k.id = nil, nil, 0
	}
}
