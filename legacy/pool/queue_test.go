package pool_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

func TestServedInOrder(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.MaxOpen, o.QueueTimeout = 1, time.Minute })
	c := acquire(t, p)
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		order []int
	)
	const callers = 20
	for i := range callers {
		all.Go(func() {
			own, err := p.Acquire(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			order = append(order, i)
			mu.Unlock()
			own.Release()
		})
		eventually(t, waiting(p, i+1))
	}
	c.Release()
	all.Wait()
	if !slices.IsSorted(order) || len(order) != callers {
		t.Errorf("served in the order %v", order)
	}
	if s := p.Stats(); s.Open != 1 || s.Opened != 1 || s.Idle != 1 {
		t.Errorf("got %+v, want one connection", s)
	}
}

func TestQueueBounds(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) {
		o.MaxOpen, o.MaxQueue, o.QueueTimeout = 2, 3, 30*time.Second
	})
	acquire(t, p)
	acquire(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 3)
	for range 3 {
		go func() {
			_, err := p.Acquire(ctx)
			results <- err
		}()
	}
	eventually(t, waiting(p, 3))
	_, err := p.Acquire(t.Context())
	if e := wantCode(t, err, codes.ResourceExhausted, "LEGACY_QUEUE_FULL"); e.RetryAfter <= 0 {
		t.Error("no hint when to try again")
	}
	cancel()
	for range 3 {
		wantCode(t, <-results, codes.Canceled, "CANCELLED")
	}
	if s := p.Stats(); s.Waiting != 0 || s.Refused != 1 {
		t.Errorf("got %+v", s)
	}
}

func TestQueueTimeout(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.MaxOpen, o.QueueTimeout = 1, 20*time.Millisecond })
	acquire(t, p)
	_, err := p.Acquire(t.Context())
	if e := wantCode(t, err, codes.ResourceExhausted, "LEGACY_QUEUE_TIMEOUT"); e.RetryAfter <= 0 {
		t.Error("no hint when to try again")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = p.Acquire(ctx)
	wantCode(t, err, codes.DeadlineExceeded, "DEADLINE_EXCEEDED")
}

func TestNobodyWaitsWithoutQueue(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.MaxOpen, o.MaxQueue = 1, -1 })
	acquire(t, p) // a connection to be made is no queue
	_, err := p.Acquire(t.Context())
	wantCode(t, err, codes.ResourceExhausted, "LEGACY_QUEUE_FULL")
}

func TestCloseFailsThoseWhoWait(t *testing.T) {
	leaks(t)
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.MaxOpen, o.QueueTimeout = 1, time.Minute })
	c := acquire(t, p)
	result := make(chan error, 1)
	go func() {
		_, err := p.Acquire(t.Context())
		result <- err
	}()
	eventually(t, waiting(p, 1))
	p.Close()
	wantCode(t, <-result, codes.Unavailable, "SHUTTING_DOWN")
	_, err := p.Acquire(t.Context())
	wantCode(t, err, codes.Unavailable, "SHUTTING_DOWN")
	if got := table(t, c, "SELECT 1"); len(got) != 1 {
		t.Error("a lent connection stopped working when the pool closed")
	}
	c.Release()
	if s := p.Stats(); s.Open != 0 {
		t.Errorf("%d connections are left", s.Open)
	}
	p.Close()
}

func TestIdleAndOldConnectionsGo(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.MaxIdleTime = 10 * time.Millisecond })
	for _, c := range []*pool.Conn{acquire(t, p), acquire(t, p)} {
		c.Release()
	}
	eventually(t, func() error {
		if s := p.Stats(); s.Open != 0 {
			return fmt.Errorf("%d connections are kept", s.Open)
		}
		return nil
	})

	q := open(t, &devstack.MariaDB(t).Server, func(o *pool.Options) { o.MaxLifetime = time.Nanosecond })
	acquire(t, q).Release()
	if s := q.Stats(); s.Open != 0 {
		t.Errorf("a connection outlived its time: %+v", s)
	}
}
