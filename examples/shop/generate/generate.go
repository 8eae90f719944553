// Package generate fills the example's old shop with rows such as twenty years of business leave behind: umlauts and
// escaped HTML in latin1, zero dates, NULL beside "", odd codes, times as text, serialized arrays.
//
// The same options give the same rows, on every server. It owns what is in the tables at the beginning; the tables
// are package schema's, and what happens afterwards is package oldshop's.
package generate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"banyan.dev/banyan/examples/shop/schema"
)

// Options say how much there is. Zero values stand for the defaults; a negative number is none at all.
type Options struct {
	// Seed chooses the data. All seeds are equally good, 0 too.
	Seed uint64
	// Customers, Products and Orders are numbers of rows; by default 1,000, 500 and 2,000. Their ids count from 1.
	Customers, Products, Orders int
	// Until is when the newest order was placed; by default the first second of 2026 (UTC). The first came in March 2005.
	Until time.Time
}

func (o Options) withDefaults() Options {
	o.Customers = count(o.Customers, 1000)
	o.Products = count(o.Products, 500)
	o.Orders = count(o.Orders, 2000)
	if o.Until.IsZero() {
		o.Until = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	o.Until = o.Until.UTC().Truncate(time.Second)
	return o
}

func count(n, byDefault int) int {
	if n == 0 {
		return byDefault
	}
	return max(n, 0)
}

// check refuses what no shop can have. Ids of points have eight places, hence the limit.
func (o Options) check() error {
	const most = 20_000_000
	switch {
	case o.Customers > most || o.Products > most || o.Orders > most:
		return fmt.Errorf("at most %d customers, products and orders each", most)
	case o.Orders > 0 && (o.Customers == 0 || o.Products == 0):
		return errors.New("orders need customers and products; ask for some of them, or for no orders")
	case !o.Until.After(opening):
		return fmt.Errorf("until must be after the shop's opening on %s", opening.Format(time.DateOnly))
	default:
		return nil
	}
}

// opening is the day on which the shop went online.
var opening = time.Date(2005, 3, 1, 8, 0, 0, 0, time.UTC)

// Generate fills the empty tables that schema.Create made. It stops when ctx ends. After an error the tables hold a
// part of the rows: MyISAM takes nothing back.
func Generate(ctx context.Context, db *sql.DB, options Options) error {
	options = options.withDefaults()
	if err := options.check(); err != nil {
		return err
	}
	conn, err := schema.Conn(ctx, db)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // All that it wrote has been answered.
	w := &world{Options: options}
	out := newWriter(ctx, conn)
	for _, step := range []func(*writer){w.reference, w.catalogue, w.customers, w.orders, w.leftovers} {
		step(out)
		out.flush()
	}
	if out.err != nil {
		return fmt.Errorf("fill the shop: %w", out.err)
	}
	return nil
}
