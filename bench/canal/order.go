package canal

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// order is an order as clients see it: in protobuf's JSON, where 64 bits are texts.
type order struct {
	ID         int64     `json:"id,string"`
	CustomerID int64     `json:"customerId,string"`
	Reference  string    `json:"reference,omitempty"`
	Status     string    `json:"status,omitempty"`
	Total      string    `json:"total,omitempty"`
	PlaceTime  time.Time `json:"placeTime"`
	Note       *string   `json:"note,omitempty"`
	Lines      []line    `json:"lines,omitempty"`
}

type line struct {
	ID       int64   `json:"id,string"`
	SKU      string  `json:"sku,omitempty"`
	Quantity int32   `json:"quantity,omitempty"`
	Price    string  `json:"price,omitempty"`
	Text     string  `json:"text,omitempty"`
	GiftNote *string `json:"giftNote,omitempty"`
}

// statements read orders, up to batch at once. They are prepared when they are needed, for numbers of keys that are powers of two.
type statements struct {
	db                     *sql.DB
	batch                  int
	orders, lines, ordered statement
}

// statement is a text with a place for a list of keys, and what was prepared of it by the number of keys.
type statement struct {
	text  string
	ready map[int]*sql.Stmt
}

func newStatements(db *sql.DB, batch int) *statements {
	of := func(text string) statement { return statement{text, map[int]*sql.Stmt{}} }
	return &statements{
		db: db, batch: batch,
		orders: of("SELECT id, customer_id, reference, status, total, placed_at, note FROM orders WHERE id IN (KEYS)"),
		lines: of("SELECT l.order_id, l.id, l.sku, l.quantity, l.price, l.text, n.note FROM order_lines l LEFT JOIN line_notes n ON n.line_id = l.id" +
			" WHERE l.order_id IN (KEYS) ORDER BY l.order_id, l.id"),
		ordered: of("SELECT id, order_id FROM order_lines WHERE id IN (KEYS)"),
	}
}

func (s *statements) close() {
	for _, of := range []statement{s.orders, s.lines, s.ordered} {
		for _, one := range of.ready {
			_ = one.Close() // it goes with the database
		}
	}
}

// read gives orders with their lines.
func (s *statements) read(ctx context.Context, ids []int64) (map[int64]*order, error) {
	found := make(map[int64]*order, len(ids))
	err := s.query(ctx, s.orders, ids, func(rows *sql.Rows) error {
		o := &order{}
		err := rows.Scan(&o.ID, &o.CustomerID, &o.Reference, &o.Status, &o.Total, &o.PlaceTime, &o.Note)
		found[o.ID] = o
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	err = s.query(ctx, s.lines, ids, func(rows *sql.Rows) error {
		var of int64
		var l line
		if err := rows.Scan(&of, &l.ID, &l.SKU, &l.Quantity, &l.Price, &l.Text, &l.GiftNote); err != nil {
			return err
		}
		if o := found[of]; o != nil {
			o.Lines = append(o.Lines, l)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	return found, nil
}

// ordersOf gives the orders of lines that are there.
func (s *statements) ordersOf(ctx context.Context, lines []int64) (map[int64]int64, error) {
	orders := make(map[int64]int64, len(lines))
	for len(lines) > 0 {
		n := min(s.batch, len(lines))
		err := s.query(ctx, s.ordered, lines[:n], func(rows *sql.Rows) error {
			var id, order int64
			err := rows.Scan(&id, &order)
			orders[id] = order
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("find the orders of lines: %w", err)
		}
		lines = lines[n:]
	}
	return orders, nil
}

// query asks for some keys, the last of them as often as the statement has places left.
func (s *statements) query(ctx context.Context, of statement, keys []int64, use func(*sql.Rows) error) error {
	size := 1
	for size < len(keys) {
		size *= 2
	}
	ready := of.ready[size]
	if ready == nil {
		var err error
		if ready, err = s.db.PrepareContext(ctx, strings.Replace(of.text, "KEYS", strings.Repeat(", ?", size)[2:], 1)); err != nil {
			return err
		}
		of.ready[size] = ready
	}
	args := make([]any, size)
	for i := range args {
		args[i] = keys[min(i, len(keys)-1)]
	}
	rows, err := ready.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := use(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
