package auth

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// renewEvery is the least time between two looks for keys because of a token whose key isn't known: whoever makes tokens
// up must not make the issuer work.
const renewEvery = 10 * time.Second

// mostWaiting bounds the calls that wait for a look: before it has ended nobody knows who makes them.
const mostWaiting = 1000

// FetchTimeout bounds one look for keys.
const FetchTimeout = 10 * time.Second

// KeyOptions say where keys come from.
type KeyOptions struct {
	// Source gives the text of a JWK Set. Its errors are logged. It is asked by one goroutine at a time.
	Source func(ctx context.Context) ([]byte, error)
	// Name is what logs call the source.
	Name string
	// Refresh is the time between two looks.
	Refresh time.Duration
	Logger  *slog.Logger
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Keys are an issuer's current keys. They are looked for every so often, and when a token names one that isn't known. What
// can't be had or read leaves the last good ones in place. Begin fetches the first, Close ends it. It is safe for
// concurrent use.
type Keys struct {
	opts KeyOptions
	set  atomic.Pointer[keySet]
	// waiting counts calls that wait for a look.
	waiting atomic.Int64

	life context.Context //nolint:containedctx // looks belong to Keys, not to the call that asks for one
	end  context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	text     []byte        // of the current set
	bad      []byte        // a text that could not be read, so that it is told once
	tried    time.Time     // when it was last looked
	fetched  time.Time     // when it was last looked with success
	failures uint64        // looks without
	trouble  string        // the last one that was told; empty when all is well
	told     time.Time     // when that was
	looking  chan struct{} // closed when the current look ends; nil: there is none
}

// NewKeys makes a Keys. It has no keys until Begin.
func NewKeys(opts KeyOptions) *Keys {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	life, end := context.WithCancel(context.Background())
	return &Keys{opts: opts, life: life, end: end}
}

// startEvery is the time between two looks at start.
const startEvery = time.Second

// Begin looks for keys until there are some, for as long as patience, and looks again and again from then on. Its error says
// why there are none.
func (k *Keys) Begin(ctx context.Context, patience time.Duration) error {
	begun := time.Now()
	for {
		err := k.look(ctx)
		if err == nil {
			k.work.Go(k.keepLooking)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		left := patience - time.Since(begun)
		if left <= 0 {
			return fmt.Errorf("the keys of access tokens (%s) can't be had: %w", k.opts.Name, err)
		}
		k.opts.Logger.Warn("waiting for the keys of access tokens", "source", k.opts.Name, "waited", time.Since(begun).Round(time.Second).String(), "cause", err)
		if !pause(ctx, min(startEvery, left)) {
			return ctx.Err()
		}
	}
}

// Close ends all looks. It may be called twice.
func (k *Keys) Close() {
	k.end()
	k.mu.Lock()
	k.mu.Unlock() //nolint:staticcheck // whoever began a look before has added it to work
	k.work.Wait()
}

func (k *Keys) current() *keySet {
	if set := k.set.Load(); set != nil {
		return set
	}
	return &keySet{}
}

// keepLooking looks every so often: after failures sooner, and more seldom with each.
func (k *Keys) keepLooking() {
	wait := k.opts.Refresh
	retry := min(renewEvery, wait)
	for pause(k.life, wait) {
		<-k.begin()
		k.mu.Lock()
		failed := k.tried.After(k.fetched)
		k.mu.Unlock()
		if failed {
			wait, retry = retry, min(2*retry, k.opts.Refresh)
		} else {
			wait, retry = k.opts.Refresh, min(renewEvery, k.opts.Refresh)
		}
	}
}

// renewed gives newer keys than seen, where it may look for some.
func (k *Keys) renewed(ctx context.Context, seen *keySet) *keySet {
	if set := k.current(); set != seen {
		return set
	}
	k.mu.Lock()
	var looking <-chan struct{}
	if k.looking != nil {
		looking = k.looking
	}
	soon := k.opts.Now().Sub(k.tried) < renewEvery
	k.mu.Unlock()
	if looking == nil {
		if soon {
			return k.current()
		}
		looking = k.begin()
	}
	defer k.waiting.Add(-1)
	if k.waiting.Add(1) > mostWaiting {
		return k.current()
	}
	select {
	case <-looking:
	case <-ctx.Done():
	}
	return k.current()
}

// begin begins a look, or joins the one that runs.
func (k *Keys) begin() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.looking != nil {
		return k.looking
	}
	done := make(chan struct{})
	if k.life.Err() != nil {
		close(done)
		return done
	}
	k.looking = done
	k.work.Go(func() {
		defer close(done)
		if err := k.look(k.life); err != nil && k.life.Err() == nil {
			k.complain(err)
		}
		k.mu.Lock()
		k.looking = nil
		k.mu.Unlock()
	})
	return done
}

// remindEvery is how often the same trouble is told again.
const remindEvery = 5 * time.Minute

// complain tells that a look has failed, once for each trouble, and again while it lasts.
func (k *Keys) complain(err error) {
	k.mu.Lock()
	now := k.opts.Now()
	age, again := now.Sub(k.fetched), err.Error() == k.trouble && now.Sub(k.told) < remindEvery
	if !again {
		k.trouble, k.told = err.Error(), now
	}
	k.mu.Unlock()
	if !again {
		k.opts.Logger.Error("the keys of access tokens can't be renewed; the last good ones stay in use", "source", k.opts.Name,
			"age", age.Round(time.Second).String(), "cause", err)
	}
}

// look takes the keys that there are now.
func (k *Keys) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, FetchTimeout)
	defer cancel()
	begun := k.opts.Now()
	k.mu.Lock()
	k.tried = begun
	k.mu.Unlock()
	text, err := k.opts.Source(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		k.failures++
		return err
	}
	if k.text != nil && bytes.Equal(text, k.text) {
		k.fetched, k.bad, k.trouble = begun, nil, ""
		return nil
	}
	set, remarks, err := parseKeys(text)
	if err != nil || !bytes.Equal(text, k.bad) {
		for _, remark := range remarks {
			k.opts.Logger.Warn("a key of access tokens is not as it should be", "source", k.opts.Name, "what", remark)
		}
	}
	if err != nil {
		k.bad = text
		k.failures++
		return err
	}
	k.opts.Logger.Info("new keys of access tokens", "source", k.opts.Name, "keys", len(set.keys))
	k.text, k.bad, k.fetched, k.trouble = text, nil, begun, ""
	k.set.Store(set)
	return nil
}

// KeyStats say how it stands with keys.
type KeyStats struct {
	// Keys is how many there are, Age the time since they were last seen at their source, Failures the looks that gave none.
	Keys     int
	Age      time.Duration
	Failures uint64
}

// Stats gives them.
func (k *Keys) Stats() KeyStats {
	keys := len(k.current().keys)
	k.mu.Lock()
	defer k.mu.Unlock()
	return KeyStats{Keys: keys, Age: k.opts.Now().Sub(k.fetched), Failures: k.failures}
}

// pause waits, and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
