package volume_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	_ "modernc.org/sqlite" // the service's database

	"banyan.dev/banyan/consumer"
	"banyan.dev/banyan/protocol"
)

// asService makes this program be the service.
const asService = "--be-the-service"

// order is what the service has of one.
type order struct {
	ID, Customer, N int64
	Body            string
	Lines           []line
}

type line struct {
	Sku      string
	Quantity int64
}

// text writes lines as the legacy does for a comparison.
func text(lines []line) string {
	var b bytes.Buffer
	for i, l := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%d", l.Sku, l.Quantity)
	}
	return b.String()
}

// schema is the service's. What was applied in another order than it happened is broken.
const schema = `
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, n INTEGER NOT NULL, body TEXT NOT NULL, lines TEXT NOT NULL, version TEXT NOT NULL, applied INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS broken (what TEXT NOT NULL);
`

func openService(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate")
}

// serve consumes until its parent ends.
func serve(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("service", flag.ContinueOnError)
	path, broker := f.String("db", "", "path"), f.String("broker", "", "URL")
	queues, most := f.Int("queues", 1, "how many queues"), f.Int("most", 0, "the largest body that it takes; 0: any")
	if err := f.Parse(args); err != nil {
		return err
	}
	db, err := openService(*path)
	if err != nil {
		return err
	}
	defer db.Close()
	store := consumer.NewStore(db, consumer.StoreOptions{})
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return err
	}
	return consumer.Run(ctx, consumer.Options{
		URL: *broker, Service: "store", Store: store, Queues: *queues, Attempts: 2, Pause: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Apply: func(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent) error { return apply(ctx, tx, e, *most) },
	})
}

func apply(ctx context.Context, tx *sql.Tx, e protocol.EntityEvent, most int) error {
	id, err := strconv.ParseInt(e.ID, 10, 64)
	if err != nil {
		return err
	}
	if e.Deleted {
		_, err := tx.ExecContext(ctx, "DELETE FROM orders WHERE id = ?", id)
		return err
	}
	o, err := read(e)
	if err != nil {
		return err
	}
	if most > 0 && len(o.Body) > most {
		return fmt.Errorf("the body has %d bytes, and the service takes %d", len(o.Body), most)
	}
	var n int64
	var version string
	err = tx.QueryRowContext(ctx, "SELECT n, version FROM orders WHERE id = ?", id).Scan(&n, &version)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if o.N < n || e.Version <= version {
		if _, err := tx.ExecContext(ctx, "INSERT INTO broken VALUES (?)", fmt.Sprintf("order %d went from %d (%s) to %d (%s)", id, n, version, o.N, e.Version)); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (id) DO UPDATE SET
		customer = excluded.customer, n = excluded.n, body = excluded.body, lines = excluded.lines, version = excluded.version, applied = applied + 1`,
		id, o.Customer, o.N, o.Body, text(o.Lines), e.Version)
	return err
}

// read reads an order as a service does that has neither Banyan's code nor generated one.
func read(e protocol.EntityEvent) (o order, err error) {
	if e.Proto != nil {
		return decode(e.Proto)
	}
	var told struct {
		ID, Customer, N json.Number // protobuf's JSON writes them as texts
		Body            string
		Lines           []struct {
			Sku      string
			Quantity json.Number
		}
	}
	if err := json.Unmarshal(e.Data, &told); err != nil {
		return o, err
	}
	number := func(n json.Number) int64 {
		if n == "" {
			return 0
		}
		v, wrong := n.Int64()
		err = errors.Join(err, wrong)
		return v
	}
	o = order{ID: number(told.ID), Customer: number(told.Customer), N: number(told.N), Body: told.Body}
	for _, l := range told.Lines {
		o.Lines = append(o.Lines, line{l.Sku, number(l.Quantity)})
	}
	return o, err
}

// decode reads protobuf's bytes.
func decode(b []byte) (o order, err error) {
	err = fields(b, func(field protowire.Number, n int64, bytes []byte) error {
		switch field {
		case 1:
			o.ID = n
		case 2:
			o.Customer = n
		case 3:
			o.N = n
		case 4:
			o.Body = string(bytes)
		case 5:
			var l line
			o.Lines = append(o.Lines, l)
			at := &o.Lines[len(o.Lines)-1]
			return fields(bytes, func(field protowire.Number, n int64, bytes []byte) error {
				switch field {
				case 1:
					at.Sku = string(bytes)
				case 2:
					at.Quantity = n
				}
				return nil
			})
		}
		return nil
	})
	return o, err
}

func fields(b []byte, use func(field protowire.Number, n int64, bytes []byte) error) error {
	for len(b) > 0 {
		field, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		var n uint64
		var bytes []byte
		switch kind {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			bytes, size = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("field %d is of another kind: %d", field, kind)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		if err := use(field, int64(n), bytes); err != nil {
			return err
		}
	}
	return nil
}
