package pool_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/legacy/pool"
)

const pointRead = "SELECT id, customer, status, total, currency, note, created_at, updated_at FROM orders WHERE id = ?"

func ordersTable(tb testing.TB) string {
	tb.Helper()
	dsn := devstack.MariaDB(tb).NewSchema(tb)
	p, err := pool.Open(pool.Options{DSN: dsn})
	if err != nil {
		tb.Fatal(err)
	}
	defer p.Close()
	c := acquire(tb, p)
	defer c.Release()
	exec(tb, c, `CREATE TABLE orders (id BIGINT PRIMARY KEY, customer BIGINT NOT NULL, status INT NOT NULL, total DECIMAL(15,4) NOT NULL,
		currency CHAR(3) NOT NULL, note VARCHAR(200), created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL)`)
	for i := range 100 {
		exec(tb, c, "INSERT INTO orders VALUES (?, 4711, 3, '129.9000', 'EUR', 'leave it at the door', '2024-05-01 12:00:00', '2024-05-02 08:30:00')", int64(i))
	}
	return dsn
}

// BenchmarkPointRead reads one row of 8 columns: through this package, through database/sql with a prepared statement as
// most would write it, and through database/sql's pool with the driver's own calls beneath. All see a context with a
// deadline, as every call of a service has one.
func BenchmarkPointRead(b *testing.B) {
	dsn := ordersTable(b)
	for _, parallel := range []bool{false, true} {
		name := "one"
		if parallel {
			name = "many"
		}
		for _, way := range []struct {
			name string
			make func(testing.TB, string) func(context.Context, int64) error
		}{{"pool", readThroughPool}, {"databasesql", readThroughSQL}, {"sqlpool", readThroughRaw}} {
			b.Run(name+"/"+way.name, func(b *testing.B) { run(b, way.make(b, dsn), parallel) })
		}
	}
}

// BenchmarkPointReadRatio takes turns between this package and database/sql, so that a busy machine disturbs both alike,
// and reports this package's processor time as a share of database/sql's.
func BenchmarkPointReadRatio(b *testing.B) {
	dsn := ordersTable(b)
	ways := []func(context.Context, int64) error{readThroughPool(b, dsn), readThroughSQL(b, dsn)}
	var spent [2]time.Duration
	const turn = 200
	for range b.N {
		for i, read := range ways {
			before := cpu()
			for range turn {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				if err := read(ctx, 42); err != nil {
					b.Fatal(err)
				}
				cancel()
			}
			spent[i] += cpu() - before
		}
	}
	b.ReportMetric(float64(spent[0])/float64(spent[1]), "pool/databasesql")
	b.ReportMetric(float64(spent[0])/float64(b.N*turn), "pool-cpu-ns/read")
	b.ReportMetric(float64(spent[1])/float64(b.N*turn), "databasesql-cpu-ns/read")
}

func run(b *testing.B, read func(context.Context, int64) error, parallel bool) {
	b.ReportAllocs()
	one := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return read(ctx, 42)
	}
	if err := one(); err != nil {
		b.Fatal(err)
	}
	before := cpu()
	b.ResetTimer()
	if parallel {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	} else {
		for range b.N {
			if err := one(); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}

// cpu is this process's own time, without the server's.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func readThroughPool(tb testing.TB, dsn string) func(context.Context, int64) error {
	p, err := pool.Open(pool.Options{DSN: dsn})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return func(ctx context.Context, id int64) error {
		c, err := p.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release()
		rows, err := c.Query(ctx, pointRead, []driver.Value{id})
		if err != nil {
			return err
		}
		var row [8]driver.Value
		if err := rows.Next(row[:]); err != nil {
			return err
		}
		if err := rows.Next(row[:]); !errors.Is(err, io.EOF) {
			return err
		}
		return rows.Close()
	}
}

func readThroughSQL(tb testing.TB, dsn string) func(context.Context, int64) error {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	stmt, err := db.Prepare(pointRead)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _, _ = stmt.Close(), db.Close() })
	return func(ctx context.Context, id int64) error {
		var (
			key, customer, status                   int64
			total, currency, note, created, updated sql.RawBytes
		)
		rows, err := stmt.QueryContext(ctx, id)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			if err := rows.Scan(&key, &customer, &status, &total, &currency, &note, &created, &updated); err != nil {
				return err
			}
		}
		return rows.Err()
	}
}

// readThroughRaw has database/sql's pool lend connections that keep their statement themselves.
func readThroughRaw(tb testing.TB, dsn string) func(context.Context, int64) error {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		tb.Fatal(err)
	}
	inner, err := mysql.NewConnector(config)
	if err != nil {
		tb.Fatal(err)
	}
	db := sql.OpenDB(preparing{inner})
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	tb.Cleanup(func() { _ = db.Close() })
	return func(ctx context.Context, id int64) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		return conn.Raw(func(c any) error {
			own := c.(*preparedConn)
			rows, err := own.stmt.(driver.StmtQueryContext).QueryContext(ctx, []driver.NamedValue{{Ordinal: 1, Value: id}})
			if err != nil {
				return err
			}
			var row [8]driver.Value
			if err := rows.Next(row[:]); err != nil {
				return err
			}
			if err := rows.Next(row[:]); !errors.Is(err, io.EOF) {
				return err
			}
			return rows.Close()
		})
	}
}

type preparing struct{ driver.Connector }

type preparedConn struct {
	driver.Conn
	stmt driver.Stmt
}

func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	stmt, err := c.Prepare(pointRead)
	return &preparedConn{c, stmt}, err
}

func (c *preparedConn) ResetSession(ctx context.Context) error {
	return c.Conn.(driver.SessionResetter).ResetSession(ctx)
}

func (c *preparedConn) IsValid() bool { return c.Conn.(driver.Validator).IsValid() }
