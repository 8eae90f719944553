package chaos

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// link is a way between Banyan and a server that can be cut, slowed down and left hanging.
type link struct {
	server   *toxiproxy.ApiServer
	name     string
	listen   string
	upstream string

	mu    sync.Mutex
	proxy *toxiproxy.Proxy // nil when it is cut
	hangs bool
}

// newLink opens a way to an address.
func newLink(name, upstream string) (*link, error) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // Toxics log by themselves, to standard error.
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	l := &link{
		server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		name:   name, listen: listen, upstream: upstream,
	}
	return l, l.open()
}

// stuck is how long toxiproxy may take for a change. Version 2.5 can wait for ever for a toxic whose connection takes
// nothing; such a proxy is left behind, with what it waits for, and another takes its place.
const stuck = 5 * time.Second

func (l *link) open() error {
	proxy := toxiproxy.NewProxy(l.server, l.name, l.listen, l.upstream)
	tick := time.NewTicker(stuck / 50)
	defer tick.Stop()
	for tries := 0; ; tries++ {
		err := proxy.Start()
		if err == nil {
			l.proxy, l.hangs = proxy, false
			return nil
		}
		if tries > 50 { // one that was left behind gives the address back soon
			return fmt.Errorf("open the way to %s: %w", l.upstream, err)
		}
		<-tick.C
	}
}

// within runs a change, and says whether it came to an end.
func within(change func() error) (ended bool, err error) {
	done := make(chan error, 1)
	go func() { done <- change() }()
	timer := time.NewTimer(stuck)
	defer timer.Stop()
	select {
	case err := <-done:
		return true, err
	case <-timer.C:
		return false, nil
	}
}

// address is where the way begins.
func (l *link) address() string { return l.listen }

// cut closes all connections and takes no new ones.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut()
}

func (l *link) shut() {
	if proxy := l.proxy; proxy != nil {
		_, _ = within(func() error { proxy.Stop(); return nil })
		l.proxy = nil
	}
}

// hang lets nothing through, and closes nothing.
func (l *link) hang() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hangs = true
	return l.disturb("timeout", `{"timeout": 0}`)
}

// slow delays everything by up to twice so many milliseconds, and lets so many kilobytes through in a second.
func (l *link) slow(millis, kilobytes int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(
		l.disturb("latency", fmt.Sprintf(`{"latency": %d, "jitter": %[1]d}`, millis)),
		l.disturb("bandwidth", fmt.Sprintf(`{"rate": %d}`, kilobytes)))
}

// disturb adds a toxic on each way, unless there is one of its kind.
func (l *link) disturb(kind, attributes string) error {
	if l.proxy == nil {
		return nil // there is nothing left to disturb
	}
	toxics := l.proxy.Toxics
	ended, err := within(func() error {
		for _, stream := range []string{"upstream", "downstream"} {
			toxic := fmt.Sprintf(`{"name": "%s %s", "type": %[1]q, "stream": %[2]q, "attributes": %s}`, kind, stream, attributes)
			if _, err := toxics.AddToxicJson(strings.NewReader(toxic)); err != nil && !errors.Is(err, toxiproxy.ErrToxicAlreadyExists) {
				return fmt.Errorf("disturb the way to %s: %w", l.upstream, err)
			}
		}
		return nil
	})
	if !ended {
		l.shut()
		return l.open()
	}
	return err
}

// mend undoes everything. Connections that hung are closed, since what they had is lost; slow ones go on.
func (l *link) mend(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hangs {
		l.shut()
	}
	if l.proxy == nil {
		return l.open()
	}
	toxics := l.proxy.Toxics
	if ended, _ := within(func() error { toxics.ResetToxics(ctx); return nil }); !ended {
		l.shut()
		return l.open()
	}
	return nil
}
