package pool_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// The server is killed under load and comes back: every caller is answered within its deadline, and soon all is as before.
func TestServerKilledUnderLoad(t *testing.T) {
	leaks(t)
	server := devstack.OwnMariaDB(t)
	dsn := server.NewSchema(t)
	p, err := pool.Open(pool.Options{DSN: dsn, MaxOpen: 8, MaxQueue: 64, ConnectTimeout: time.Second, Logger: nil})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	setup := acquire(t, p)
	exec(t, setup, "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, v INT NOT NULL)")
	exec(t, setup, "INSERT INTO t (v) VALUES (1)")
	setup.Release()

	ctx, stop := context.WithCancel(t.Context())
	var (
		callers         sync.WaitGroup
		served, refused atomic.Int64
	)
	for i := range 32 {
		callers.Go(func() {
			for ctx.Err() == nil {
				err := oneCall(ctx, p, i%4 == 0)
				var e *strangler.Error
				switch {
				case err == nil:
					served.Add(1)
				case ctx.Err() != nil:
				case !errors.As(err, &e):
					t.Errorf("an error that is none for callers: %v", err)
				case e.Code == codes.Unavailable, e.Code == codes.ResourceExhausted:
					refused.Add(1)
					select { // leave the server some of the processor
					case <-ctx.Done():
					case <-time.After(time.Millisecond):
					}
				default:
					t.Errorf("got %v", err)
				}
			}
		})
	}
	grows := func(n *atomic.Int64, by int64) {
		t.Helper()
		t.Logf("%v: served %d, refused %d", time.Now().Format(time.StampMilli), served.Load(), refused.Load())
		target := n.Load() + by
		eventually(t, func() error {
			if n.Load() < target {
				return fmt.Errorf("%d of %d", n.Load(), target)
			}
			return nil
		})
	}
	grows(&served, 200)
	server.Kill()
	grows(&refused, 200)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	grows(&served, 1)
	took := time.Since(back)
	t.Logf("served again %v after the server answered; %d calls refused meanwhile", took, refused.Load())
	if took > 3*time.Second {
		t.Errorf("it took %v to serve again", took)
	}
	grows(&served, 200)
	stop()
	callers.Wait()
	eventually(t, func() error {
		if s := p.Stats(); s.InUse != 0 || s.Waiting != 0 || s.Open > 8 || s.Open != s.Idle || !s.Reachable {
			return fmt.Errorf("got %+v", s)
		}
		return nil
	})
	c := acquire(t, p)
	t.Logf("%v: idle", time.Now().Format(time.StampMilli))
	eventually(t, func() error { // the last callers' statements are still being ended
		if got := len(table(t, c, "SELECT id FROM information_schema.processlist WHERE db = DATABASE()")); got > p.Stats().Open {
			return fmt.Errorf("the server has %d connections, the pool %d", got, p.Stats().Open)
		}
		return nil
	})
}

func oneCall(ctx context.Context, p *pool.Pool, write bool) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := p.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	if !write {
		_, err = tryTable(ctx, c, "SELECT v FROM t WHERE id = 1")
		return err
	}
	if err := c.Command(ctx, "START TRANSACTION"); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, "INSERT INTO t (v) VALUES (2)", nil); err != nil {
		return err
	}
	return c.Commit(ctx)
}

func TestIdleConnectionThatDied(t *testing.T) {
	p := open(t, &devstack.MariaDB(t).Server, quiet)
	watcher := acquire(t, p)
	c := acquire(t, p)
	id := table(t, c, "SELECT CONNECTION_ID()")[0][0]
	c.Release()
	exec(t, watcher, "DO 1")
	if err := watcher.Command(t.Context(), fmt.Sprintf("KILL %v", id)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if len(table(t, watcher, "SELECT id FROM information_schema.processlist WHERE id = ?", id)) > 0 {
			return errors.New("it is there")
		}
		return nil
	})
	pool.Age(p, time.Second)
	c = acquire(t, p)
	if got := table(t, c, "SELECT CONNECTION_ID()")[0][0]; got == id {
		t.Error("a dead connection was lent")
	}
}

func TestUnreachable(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	defer listener.Close()

	t.Run("silent", func(t *testing.T) { // accepts, and never says a word
		leaks(t)
		p, err := pool.Open(pool.Options{DSN: "u:secret@tcp(" + addr + ")/d", ConnectTimeout: 300 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_, err = p.Acquire(t.Context())
		wantCode(t, err, codes.Unavailable, "LEGACY_UNAVAILABLE")
		start := time.Now()
		for range 1000 {
			_, err = p.Acquire(t.Context())
			wantCode(t, err, codes.Unavailable, "LEGACY_UNAVAILABLE")
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("1000 callers took %v to be told that the server is silent", took)
		}
		if s := p.Stats(); s.Reachable || s.InUse != 0 || s.Idle != 0 {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("queue timeout before connect timeout", func(t *testing.T) {
		p, err := pool.Open(pool.Options{DSN: "u:secret@tcp(" + addr + ")/d", QueueTimeout: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_, err = p.Acquire(t.Context())
		wantCode(t, err, codes.Unavailable, "LEGACY_UNAVAILABLE")
	})
}

// The server hangs: calls end by their deadlines, then callers are told at once; when it goes on, so does all else.
func TestServerHangs(t *testing.T) {
	leaks(t)
	var mu sync.Mutex
	p, _ := through(t, func([]byte) verdict {
		mu.Lock() // held while it hangs
		defer mu.Unlock()
		return pass
	}, func(o *pool.Options) { o.MaxOpen, o.ConnectTimeout = 4, 250*time.Millisecond })
	call := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		c, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release()
		_, err = tryTable(ctx, c, "SELECT 1")
		return err
	}
	eventually(t, call)
	mu.Lock()
	var once sync.Once
	goOn := func() { once.Do(mu.Unlock) }
	t.Cleanup(goOn)
	wantCode(t, call(), codes.DeadlineExceeded, "DEADLINE_EXCEEDED")
	eventually(t, func() error {
		start := time.Now()
		err := call()
		var e *strangler.Error
		if !errors.As(err, &e) || e.Code != codes.Unavailable || time.Since(start) > 40*time.Millisecond {
			return fmt.Errorf("after %v: %w", time.Since(start), err)
		}
		return nil
	})
	goOn()
	eventually(t, call)
}

func TestServerFull(t *testing.T) {
	leaks(t)
	server := devstack.OwnMariaDB(t)
	p, err := pool.Open(pool.Options{DSN: server.NewSchema(t), QueueTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	first := acquire(t, p)
	exec(t, first, "DO 1")
	if err := first.Command(t.Context(), "SET GLOBAL max_connections = 10"); err != nil {
		t.Fatal(err)
	}
	var held []*pool.Conn
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		c, err := p.Acquire(ctx)
		cancel()
		if err != nil {
			wantCode(t, err, codes.DeadlineExceeded, "DEADLINE_EXCEEDED") // waits: one of ours may come free
			break
		}
		held = append(held, c)
		t.Cleanup(c.Release)
	}
	if len(held) < 5 {
		t.Fatalf("only %d connections", len(held))
	}
	result := make(chan error, 1)
	go func() {
		c, err := p.Acquire(t.Context())
		if err == nil {
			c.Release()
		}
		result <- err
	}()
	eventually(t, waiting(p, 1))
	held[0].Release()
	if err := <-result; err != nil {
		t.Errorf("a caller who waited for a full server's connection got %v", err)
	}
}
