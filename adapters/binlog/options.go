package binlog

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Options say what is read, and how.
type Options struct {
	// DSN is go-sql-driver's name of the server. Its address, account, TLS and password options are used, the rest is not.
	DSN string
	// ServerID is what the reader calls itself among the server's replicas. 0: a random one that none of them has.
	ServerID uint32
	// Scope says whose changes are given, by the table's schema and name. It is asked with an empty table where a statement
	// concerns a schema, or tables of it that can't be told. Nil: all but the server's own schemas.
	Scope func(schema, table string) bool
	// ConnectTimeout bounds each attempt to connect. 0: 10 s.
	ConnectTimeout time.Duration
	// ReadTimeout is how long the server may be silent before the link counts as dead: it is asked for a heartbeat every
	// third of it. At least 300 ms; 0: 6 s.
	ReadTimeout time.Duration
	// Logger may be nil.
	Logger *slog.Logger
	// Dialer connects to the DSN's address, instead of net.Dialer. It may be nil.
	Dialer func(ctx context.Context, network, address string) (net.Conn, error)
}

// Source reads one server's log. It is a change.Source.
type Source struct {
	opt       Options
	config    *mysql.Config
	connector driver.Connector
	log       *slog.Logger
	// aheadLimit is the constant, but in tests.
	aheadLimit int

	mu       sync.Mutex
	charsets *charsets // of the server that answered last
	asked    *sql.DB   // what Behind asks once a second is worth a connection that stays; nil until it does
}

// New checks the options. It does not connect.
func New(options Options) (*Source, error) {
	config, err := mysql.ParseDSN(options.DSN)
	if err != nil {
		// The driver's own text may quote the password.
		return nil, errors.New("the legacy's DSN can't be read: want user:password@tcp(host:port)/")
	}
	options.ConnectTimeout = cmp.Or(options.ConnectTimeout, 10*time.Second)
	options.ReadTimeout = cmp.Or(options.ReadTimeout, 6*time.Second)
	if options.ReadTimeout < 300*time.Millisecond || options.ConnectTimeout < 0 {
		return nil, fmt.Errorf("a read timeout of %v is too short: want at least 300 ms", options.ReadTimeout)
	}
	if options.Scope == nil {
		options.Scope = func(schema, _ string) bool { return !systemSchema(schema) }
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Dialer == nil {
		options.Dialer = (&net.Dialer{Timeout: options.ConnectTimeout}).DialContext
	}
	s := &Source{opt: options, config: config, log: options.Logger, aheadLimit: aheadLimit}
	plain := config.Clone()
	plain.DBName, plain.Params, plain.ParseTime, plain.InterpolateParams, plain.MultiStatements = "", nil, false, true, false
	plain.Timeout, plain.ReadTimeout, plain.WriteTimeout = options.ConnectTimeout, 30*time.Second, options.ConnectTimeout
	plain.Logger = &mysql.NopLogger{}
	plain.Collation = ""
	plain.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		return options.Dialer(ctx, network, address)
	}
	if s.connector, err = mysql.NewConnector(plain); err != nil {
		return nil, fmt.Errorf("use the legacy's DSN: %w", err)
	}
	return s, nil
}

// systemSchema says that a schema is the server's own.
func systemSchema(name string) bool {
	switch name {
	case "mysql", "sys", "information_schema", "performance_schema":
		return true
	}
	return false
}
