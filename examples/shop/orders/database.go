package orders

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/url"
	"runtime"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	_ "modernc.org/sqlite" // the driver

	"banyan.dev/banyan/examples/shop/shopv2"
)

// FirstID is the first id that the service gives; the old shop's are below. LastID is the greatest that the old tables hold.
const (
	FirstID = 1_000_000_000
	LastID  = math.MaxInt32
)

// schema is the service's own. Texts that are searched are kept as they are compared: folded.
const schema = `
CREATE TABLE IF NOT EXISTS orders (
	id INTEGER PRIMARY KEY,
	customer INTEGER NOT NULL,
	state INTEGER NOT NULL,
	placed INTEGER NOT NULL,  -- microseconds since 1970; of an order without a time, less than all
	currency TEXT NOT NULL,
	total INTEGER,            -- in ten-thousandths; NULL where there is none
	worth INTEGER NOT NULL,   -- the same in the shop's own currency; where there is no rate, less than all
	email BLOB NOT NULL,
	country BLOB NOT NULL,
	postal_code BLOB NOT NULL,
	customer_name BLOB NOT NULL,
	shipping_name BLOB NOT NULL,
	billing_name BLOB NOT NULL,
	comment BLOB NOT NULL,
	gift INTEGER NOT NULL,
	document BLOB NOT NULL    -- shop.v2.Order
);
CREATE INDEX IF NOT EXISTS orders_customer ON orders (customer, id);
CREATE INDEX IF NOT EXISTS orders_state ON orders (state, id);
CREATE INDEX IF NOT EXISTS orders_placed ON orders (placed, id);
CREATE INDEX IF NOT EXISTS orders_worth ON orders (worth, id);
CREATE INDEX IF NOT EXISTS orders_email ON orders (email);
CREATE INDEX IF NOT EXISTS orders_postal_code ON orders (postal_code);
CREATE INDEX IF NOT EXISTS orders_customer_name ON orders (customer_name);
CREATE INDEX IF NOT EXISTS orders_shipping_name ON orders (shipping_name);
CREATE INDEX IF NOT EXISTS orders_billing_name ON orders (billing_name);
CREATE TABLE IF NOT EXISTS articles (sku BLOB NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (sku, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS articles_id ON articles (id);
CREATE TABLE IF NOT EXISTS ids (last INTEGER NOT NULL);
INSERT INTO ids SELECT 999999999 WHERE NOT EXISTS (SELECT 1 FROM ids);
CREATE TABLE IF NOT EXISTS secrets (page BLOB NOT NULL);
`

// database is the service's file. One connection writes, so that writers wait in line and not for a lock; others read.
type database struct {
	write, read *sql.DB
	pages       []byte // the secret that seals page tokens
}

// openDatabase opens or makes the file.
func openDatabase(ctx context.Context, path string) (d *database, err error) {
	d = &database{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the database %s: %w", path, err), d.close())
		}
	}()
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "busy_timeout(10000)", "synchronous(FULL)"}}
	if d.write, err = sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode()); err != nil {
		return d, err
	}
	d.write.SetMaxOpenConns(1)
	pragmas.Add("_pragma", "query_only(1)")
	if d.read, err = sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode()); err != nil {
		return d, err
	}
	d.read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
	d.read.SetMaxIdleConns(4)
	if _, err := d.write.ExecContext(ctx, schema); err != nil {
		return d, err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	if _, err := d.write.ExecContext(ctx, "INSERT INTO secrets SELECT ? WHERE NOT EXISTS (SELECT 1 FROM secrets)", secret); err != nil {
		return d, err
	}
	return d, d.write.QueryRowContext(ctx, "SELECT page FROM secrets").Scan(&d.pages)
}

func (d *database) close() error {
	var err error
	for _, db := range []*sql.DB{d.read, d.write} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// load gives an order; nil when there is none.
func load(ctx context.Context, q querier, id int64) (*shopv2.Order, error) {
	var document []byte
	err := q.QueryRowContext(ctx, "SELECT document FROM orders WHERE id = ?", id).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // no order is no error, see the comment
	}
	if err != nil {
		return nil, err
	}
	order := &shopv2.Order{}
	return order, proto.Unmarshal(document, order)
}

// save makes the rows of an order equal it.
func save(ctx context.Context, tx *sql.Tx, o *shopv2.Order) error {
	document, err := proto.Marshal(o)
	if err != nil {
		return err
	}
	var total sql.NullInt64
	if o.GetGrandTotal() != nil {
		if total.Int64, total.Valid = amount(o.GetGrandTotal()); !total.Valid {
			return fmt.Errorf("the grand total %v is no amount that the shop knows", o.GetGrandTotal())
		}
	}
	rate, err := parseDecimal(o.GetExchangeRate().GetValue(), rateDecimals)
	if o.GetExchangeRate() == nil {
		rate, err = rateUnit, nil
	}
	if err != nil {
		return fmt.Errorf("the exchange rate %q: %w", o.GetExchangeRate().GetValue(), err)
	}
	worth, ok := worthOf(total.Int64, rate)
	if !ok {
		worth = math.MinInt64
	}
	if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO orders (id, customer, state, placed, currency, total, worth, email, country, postal_code,
		customer_name, shipping_name, billing_name, comment, gift, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.GetId(), o.GetCustomerId(), int32(o.GetState()), placed(o.GetCreateTime()), equal(o.GetCurrencyCode()), total, worth,
		[]byte(equal(o.GetEmail())), []byte(equal(o.GetShippingAddress().GetCountryCode())), fold(o.GetShippingAddress().GetPostalCode()),
		fold(o.GetCustomerAddress().GetRecipient()), fold(o.GetShippingAddress().GetRecipient()), fold(o.GetBillingAddress().GetRecipient()),
		// As the old shop stores it: there, a search for "amp" finds each "&".
		fold(escape(o.GetComment())), o.GetGift(), document); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM articles WHERE id = ?", o.GetId()); err != nil {
		return err
	}
	for _, line := range o.GetLines() {
		if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO articles (sku, id) VALUES (?, ?)", []byte(equal(line.GetSku())), o.GetId()); err != nil {
			return err
		}
	}
	// Ids go on behind all that were seen: this file may be older than what the old shop has brought back.
	_, err = tx.ExecContext(ctx, "UPDATE ids SET last = MAX(last, ?)", o.GetId())
	return err
}

// remove takes an order away.
func remove(ctx context.Context, tx *sql.Tx, id int64) error {
	for _, statement := range []string{"DELETE FROM orders WHERE id = ?", "DELETE FROM articles WHERE id = ?"} {
		if _, err := tx.ExecContext(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}

// nextID takes the next id. That there is none is a refusal: an error that may pass would be tried again for ever.
func nextID(ctx context.Context, tx *sql.Tx) (int64, error) {
	var id int64
	if err := tx.QueryRowContext(ctx, "UPDATE ids SET last = last + 1 RETURNING last").Scan(&id); err != nil {
		return 0, err
	}
	if id > LastID {
		return 0, fail(codes.FailedPrecondition, "NO_IDS_LEFT", "there are no ids left: order %d is more than the shop can hold; nothing was ordered", id)
	}
	return id, nil
}

// placed gives a time as it is compared.
func placed(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return math.MinInt64
	}
	return t.AsTime().UnixMicro()
}

// now gives the time in whole seconds, as the old shop keeps it.
func (s *Service) now() *timestamppb.Timestamp {
	return timestamppb.New(s.clock().Truncate(time.Second))
}

// sameSign says whether units and nanos of money fit together.
func sameSign(m *money.Money) bool {
	return (m.GetUnits() <= 0 || m.GetNanos() >= 0) && (m.GetUnits() >= 0 || m.GetNanos() <= 0)
}
