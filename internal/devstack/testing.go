package devstack

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// TB is the part of testing.TB that is needed here, so that programs which
// start servers don't carry the testing package.
type TB interface {
	Helper()
	Name() string
	Cleanup(f func())
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// MySQLVariable names the environment variable with the DSN of a real MySQL
// server for Databases. Its account needs the right to create databases.
const MySQLVariable = "BANYAN_TEST_MYSQL_DSN"

// sharedDatabase is the one MariaDB of a test binary. It has to belong to the
// package: tests that know nothing of each other share it.
var sharedDatabase = sync.OnceValues(func() (*Database, error) {
	return StartDatabase(context.Background(), DatabaseOptions{Relaxed: true})
})

// MariaDB gives the server that all tests of this test binary share, started
// at the first call and gone when the binary ends. Tests keep to schemas of
// their own (NewSchema) and leave the server and its global settings alone; a
// commit in it outlives a kill, not a power cut.
//
// A goroutine waits for the server until the end: tests that look for leaked
// goroutines ask for the server before they begin to count.
func MariaDB(t TB) *Database {
	t.Helper()
	db, err := sharedDatabase()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return db
}

// OwnMariaDB starts a durable server for one test, which may kill, restart and
// reconfigure it. It is gone when the test ends.
func OwnMariaDB(t TB) *Database {
	t.Helper()
	db, err := StartDatabase(context.Background(), DatabaseOptions{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	stopAfter(t, db)
	return db
}

// Databases gives the servers that a test of SQL runs on, each under its Name:
// the shared MariaDB, and the MySQL at BANYAN_TEST_MYSQL_DSN if that is set.
func Databases(t TB) []*Server {
	t.Helper()
	servers := []*Server{&MariaDB(t).Server}
	dsn := os.Getenv(MySQLVariable)
	if dsn == "" {
		return servers
	}
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatalf("%s: %v", MySQLVariable, err)
	}
	return append(servers, &Server{Name: "mysql", config: config})
}

// sharedBroker is the one RabbitMQ of a test binary, see sharedDatabase.
var sharedBroker = sync.OnceValues(func() (*Broker, error) {
	return StartBroker(context.Background(), BrokerOptions{})
})

// RabbitMQ gives the broker that all tests of this test binary share, as
// MariaDB does. Tests keep to virtual hosts of their own (NewVHost) or to names
// of their own.
func RabbitMQ(t TB) *Broker {
	t.Helper()
	broker, err := sharedBroker()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return broker
}

// OwnRabbitMQ starts a broker for one test, which may kill and restart it. It is gone when the test ends.
func OwnRabbitMQ(t TB) *Broker {
	t.Helper()
	broker, err := StartBroker(context.Background(), BrokerOptions{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	stopAfter(t, broker)
	return broker
}

// stopAfter stops a server when the test ends.
func stopAfter(t TB, server interface{ Stop(context.Context) error }) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Logf("%v", err)
		}
	})
}
