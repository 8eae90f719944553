package pool

import (
	"context"
	"testing"
	"time"

	"banyan.dev/banyan/internal/devstack"
)

// BenchmarkOverhead is what lending, watching and taking back cost, without any statement, beside the context itself.
func BenchmarkOverhead(b *testing.B) {
	p, err := Open(Options{DSN: devstack.MariaDB(b).NewSchema(b)})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	if err := p.Ping(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for range b.N {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		c, err := p.Acquire(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.enter(ctx, 0); err != nil {
			b.Fatal(err)
		}
		c.leave()
		c.Release()
		cancel()
	}
}
