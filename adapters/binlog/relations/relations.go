package relations

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/mirror"
)

// Options say whose foreign keys are read.
type Options struct {
	// DSN is that of go-sql-driver. On MariaDB the account needs REFERENCES, or another right than SELECT, on the child
	// tables: it sees no foreign key of others.
	DSN string
	// Logger may be nil.
	Logger *slog.Logger
}

// Relations knows a server's foreign keys as Refresh found them last; none before the first Refresh.
type Relations struct {
	config *mysql.Config
	logger *slog.Logger
	graph  atomic.Pointer[graph]
}

var _ mirror.Relations = (*Relations)(nil)

// New checks the options. It does not connect.
func New(options Options) (*Relations, error) {
	config, err := mysql.ParseDSN(options.DSN)
	if err != nil {
		return nil, fmt.Errorf("use the DSN for foreign keys: %w", err)
	}
	config.InterpolateParams = true
	logger := options.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := &Relations{config: config, logger: logger}
	r.graph.Store(newGraph(nil, false))
	return r, nil
}

// Of gives the relations in which a table is the parent, as mirror.Relations says. Where a constraint comes again below
// itself it is named once more, without Next: what is below it begins anew there. The slice is shared: it is not to be changed.
func (r *Relations) Of(schema, table string) []mirror.Relation {
	return r.graph.Load().of(schema, table)
}

// Refresh reads all foreign keys that the account sees, on a connection of its own. After an error, those known before remain.
func (r *Relations) Refresh(ctx context.Context) error {
	began := time.Now()
	connector, err := mysql.NewConnector(r.config)
	if err != nil {
		return fmt.Errorf("use the server's address: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // Nothing was written on it.
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect for foreign keys: %w", err)
	}
	defer conn.Close() //nolint:errcheck // As above.
	rules, err := readServer(ctx, conn)
	if err != nil {
		return err
	}
	var found []*Constraint
	if !rules.logged {
		if found, err = readConstraints(ctx, conn); err != nil {
			return err
		}
	}
	r.graph.Store(newGraph(found, rules.foldsCase))
	r.logger.DebugContext(ctx, "foreign keys read", "with_actions", len(found), "in_binlog", rules.logged, "took", time.Since(began))
	return nil
}

// server is how a server treats names and cascades.
type server struct {
	// foldsCase says that names of tables that differ in case only are the same.
	foldsCase bool
	// logged says that rows changed by foreign keys are in the binlog as others are.
	logged bool
}

func readServer(ctx context.Context, conn *sql.Conn) (server, error) {
	rows, err := conn.QueryContext(ctx, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('lower_case_table_names', 'innodb_native_foreign_keys')")
	if err != nil {
		return server{}, fmt.Errorf("read how the server treats names and cascades: %w", err)
	}
	defer rows.Close()
	var s server
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return server{}, fmt.Errorf("read how the server treats names and cascades: %w", err)
		}
		switch strings.ToLower(name) {
		case "lower_case_table_names":
			s.foldsCase = value != "0"
		case "innodb_native_foreign_keys":
			s.logged = strings.EqualFold(value, "OFF")
		}
	}
	if err := rows.Err(); err != nil {
		return server{}, fmt.Errorf("read how the server treats names and cascades: %w", err)
	}
	return s, nil
}
