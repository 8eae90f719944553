package devstack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
	"time"
)

// Ports are taken from below those that Linux hands out to outgoing connections
// (32768 and up), so that none of these sits on a server's port while it restarts.
const (
	lowestPort  = 12000
	highestPort = 32000
	loopback    = "127.0.0.1"
)

// errPortTaken says that another program listens where a server was to listen.
var errPortTaken = errors.New("the port is taken")

// freePort gives a port on loopback that nobody listens on. Somebody may take
// it before its user does, who then has to ask again.
func freePort(ctx context.Context) (int, error) {
	const tries = 200
	for range tries {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		err := probePort(ctx, port)
		if err == nil {
			return port, nil
		}
		if !errors.Is(err, errPortTaken) {
			return 0, err
		}
	}
	return 0, fmt.Errorf("find a free port on %s: %d were taken", loopback, tries)
}

// probePort says whether a server could listen on port now: nil, or an errPortTaken.
func probePort(ctx context.Context, port int) error {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp4", net.JoinHostPort(loopback, strconv.Itoa(port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on port %d: %w", port, errPortTaken)
	case err != nil:
		return fmt.Errorf("listen on port %d: %w", port, err)
	}
	if err := listener.Close(); err != nil {
		return fmt.Errorf("give port %d back: %w", port, err)
	}
	return nil
}

// poll calls attempt until it gives nil, the process ends, or ctx does. The error is the last attempt's, with the process's last words.
func poll(ctx context.Context, p *process, attempt func(context.Context) error) error {
	const every = 20 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := attempt(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("the server ended while starting (%w); it wrote:\n%s", errOr(p.err, err), p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w; it wrote:\n%s", errors.Join(context.Cause(ctx), err), p.lastWords())
		}
	}
}

// errOr gives the first error, or the second where there is no first.
func errOr(first, second error) error {
	if first != nil {
		return first
	}
	return second
}
