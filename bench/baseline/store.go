package baseline

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/protobuf/types/known/timestamppb"

	benchv1 "banyan.dev/banyan/bench/contract/bench/v1"
)

const (
	columns   = "id, name, sku, price, quantity, create_time, active, note"
	readItem  = "SELECT " + columns + " FROM items WHERE id = ?"
	listItems = "SELECT " + columns + " FROM items WHERE warehouse_id = ? AND id > ? ORDER BY id LIMIT ?"
	addItem   = "INSERT INTO items (warehouse_id, name, sku, price, quantity, create_time, active, note) VALUES (?, ?, ?, ?, ?, NOW(6), ?, ?)"
)

// The pool is as large as Banyan's is by default.
const (
	maxOpen     = 32
	maxIdleTime = 5 * time.Minute
	maxLifetime = time.Hour
)

// Store reads and writes items by prepared statements. It is safe for concurrent use.
type Store struct {
	db              *sql.DB
	read, list, add *sql.Stmt
}

// OpenStore connects to the database of a go-sql-driver DSN, with the session settings that Banyan uses.
func OpenStore(ctx context.Context, dsn string) (*Store, error) {
	config, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the DSN: %w", err)
	}
	config.ClientFoundRows = true
	config.ParseTime = true
	config.Loc = time.UTC
	config.Timeout = 3 * time.Second
	config.Params = map[string]string{
		"time_zone":    "'+00:00'",
		"sql_mode":     "'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"tx_isolation": "'REPEATABLE-READ'",
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("use the DSN: %w", err)
	}
	s := &Store{db: sql.OpenDB(connector)}
	s.db.SetMaxOpenConns(maxOpen)
	s.db.SetMaxIdleConns(maxOpen)
	s.db.SetConnMaxIdleTime(maxIdleTime)
	s.db.SetConnMaxLifetime(maxLifetime)
	for _, p := range []struct {
		query string
		into  **sql.Stmt
	}{{readItem, &s.read}, {listItems, &s.list}, {addItem, &s.add}} {
		if *p.into, err = s.db.PrepareContext(ctx, p.query); err != nil { //nolint:sqlclosecheck // Close closes them with the database
			return nil, errors.Join(fmt.Errorf("prepare %q: %w", p.query, err), s.Close())
		}
	}
	return s, nil
}

// Close closes the connections.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// Item reads one item; sql.ErrNoRows when there is none.
func (s *Store) Item(ctx context.Context, id int64) (*benchv1.Item, error) {
	return scan(s.read.QueryRowContext(ctx, id))
}

// Items reads at most limit items of a warehouse whose ids are above after, in the order of ids.
func (s *Store) Items(ctx context.Context, warehouse, after int64, limit int) ([]*benchv1.Item, error) {
	rows, err := s.list.QueryContext(ctx, warehouse, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	items := make([]*benchv1.Item, 0, limit)
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}

// AddItem adds an item and gives its id.
func (s *Store) AddItem(ctx context.Context, warehouse int64, item *benchv1.Item) (int64, error) {
	result, err := s.add.ExecContext(ctx, warehouse, item.GetName(), item.GetSku(), item.GetPrice(), item.GetQuantity(), item.GetActive(), item.Note) //nolint:protogetter // nil is NULL
	if err != nil {
		return 0, err
	}
	return result.LastInsertId()
}

// scan reads a row of columns.
func scan(row interface{ Scan(dest ...any) error }) (*benchv1.Item, error) {
	item := &benchv1.Item{}
	var created time.Time
	if err := row.Scan(&item.Id, &item.Name, &item.Sku, &item.Price, &item.Quantity, &created, &item.Active, &item.Note); err != nil {
		return nil, err
	}
	item.CreateTime = timestamppb.New(created)
	return item, nil
}
