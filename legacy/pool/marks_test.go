package pool_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
	"testing"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

// rowMarks are rows of a table in the pool's own schema. It remembers the slots that were asked for.
type rowMarks struct {
	slots int
	mu    sync.Mutex
	asked []int
}

func (m *rowMarks) Slots() int { return m.slots }

func (m *rowMarks) Mark(slot int) (sql string, args []driver.Value) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, slot)
	return "UPDATE writers SET n = n + 1 WHERE replica = ? AND slot = ? AND token = ?", []driver.Value{"host-1.example:4711:0a1b2c3d", int64(slot), []byte("0123456789abcdef")}
}

// last gives the slots of the last n marks.
func (m *rowMarks) last(n int) []int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked[len(m.asked)-n:]
}

func writersTable(t testing.TB, p *pool.Pool, slots int) {
	t.Helper()
	c := acquire(t, p)
	defer c.Release()
	exec(t, c, "CREATE TABLE writers (replica VARCHAR(64), slot INT, token BINARY(16), n BIGINT UNSIGNED NOT NULL DEFAULT 0, PRIMARY KEY (replica, slot)) ENGINE=InnoDB")
	exec(t, c, "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(100)) ENGINE=InnoDB")
	for slot := range slots {
		exec(t, c, "INSERT INTO writers (replica, slot, token) VALUES ('host-1.example:4711:0a1b2c3d', ?, '0123456789abcdef')", int64(slot))
	}
}

func beginWrite(t testing.TB, p *pool.Pool) *pool.Conn {
	t.Helper()
	c := acquire(t, p)
	if err := c.BeginWrite(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEachConnectionHasASlot(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			m := &rowMarks{slots: 6}
			p := open(t, server, func(o *pool.Options) { o.Marker, o.MaxOpen = m, 3 })
			writersTable(t, p, m.slots)
			one, two, three := beginWrite(t, p), beginWrite(t, p), beginWrite(t, p)
			if got := fmt.Sprint(m.last(3)); got != "[0 1 2]" {
				t.Errorf("the slots are %s", got)
			}
			two.Release()
			if again := beginWrite(t, p); m.last(1)[0] != 1 {
				t.Errorf("the same connection has slot %d", m.last(1)[0])
			} else {
				again.Release()
			}
			one.Discard() // its row may stay locked for a while
			beginWrite(t, p).Release()
			one = beginWrite(t, p)
			three.Discard()
			three = beginWrite(t, p)
			_ = beginWrite(t, p)
			for _, slot := range m.last(2) {
				if slot == 0 || slot == 2 {
					t.Errorf("the slot %d of a connection that was given up is taken at once", slot)
				}
			}
			one.Release()
			three.Release()
		})
	}
}

func TestFailedMarkLeavesNoTransaction(t *testing.T) {
	for _, server := range devstack.Databases(t) {
		t.Run(server.Name, func(t *testing.T) {
			m := &rowMarks{slots: 2}
			p := open(t, server, func(o *pool.Options) { o.Marker, o.MaxOpen = m, 1 })
			writersTable(t, p, 0)
			c := acquire(t, p)
			err := c.BeginWrite(t.Context())
			if e := wantCode(t, err, 14, pool.WritesFenced); e.RetryAfter == 0 {
				t.Error("no hint to retry")
			}
			exec(t, c, "INSERT INTO t (note) VALUES ('outside of any transaction')")
			c.Discard()
			if n := count(t, p); n != int64(1) {
				t.Errorf("%v rows, want the one that committed itself", n)
			}
		})
	}
}

func TestTooFewSlots(t *testing.T) {
	_, err := pool.Open(pool.Options{DSN: "root@tcp(127.0.0.1:1)/x", Marker: &rowMarks{slots: 31}})
	if err == nil {
		t.Error("32 connections share 31 slots")
	}
}

// BenchmarkWrite inserts one row: bare, in a transaction, and in a marked transaction.
func BenchmarkWrite(b *testing.B) {
	for _, server := range devstack.Databases(b) {
		dsn := server.NewSchema(b)
		m := &rowMarks{slots: 64}
		p, err := pool.Open(pool.Options{DSN: dsn, Marker: m})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.Close)
		plain, err := pool.Open(pool.Options{DSN: dsn})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(plain.Close)
		writersTable(b, p, m.slots)
		write := func(p *pool.Pool, transaction bool) func(context.Context, int64) error {
			args := []driver.Value{"leave it at the door"}
			return func(ctx context.Context, _ int64) error {
				c, err := p.Acquire(ctx)
				if err != nil {
					return err
				}
				defer c.Release()
				if transaction {
					if err := c.BeginWrite(ctx); err != nil {
						return err
					}
				}
				if _, err := c.Exec(ctx, "INSERT INTO t (note) VALUES (?)", args); err != nil || !transaction {
					return err
				}
				return c.Commit(ctx)
			}
		}
		for _, parallel := range []bool{false, true} {
			for _, way := range []struct {
				name string
				one  func(context.Context, int64) error
			}{{"bare", write(plain, false)}, {"transaction", write(plain, true)}, {"marked", write(p, true)}} {
				b.Run(fmt.Sprintf("%s/parallel=%t/%s", server.Name, parallel, way.name), func(b *testing.B) {
					run(b, way.one, parallel)
				})
			}
		}
	}
}
