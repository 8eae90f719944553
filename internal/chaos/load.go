package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"banyan.dev/banyan/examples/shop/oldshop"
)

// load is everything that writes: the old shop, the facade, and writers of tables that the shop doesn't have.
type load struct {
	db      *sql.DB
	banyans []*banyan
	seed    uint64
	rate    float64 // of each writer, in a second
	log     *slog.Logger
	// gate is held by those whose statements a kill of the database must not meet: MyISAM's.
	gate *sync.RWMutex

	mu         sync.Mutex
	registered []string // logins of customers that the facade has acknowledged

	shop, facade, refused, unanswered, transactions, failed atomic.Uint64
}

// run writes until ctx ends.
func (l *load) run(ctx context.Context) {
	var writers sync.WaitGroup
	writers.Go(func() {
		// Its errors are the database's, which comes and goes.
		_ = oldshop.Run(ctx, l.db, oldshop.Options{Seed: l.seed, Rate: l.rate, Pause: 100 * time.Millisecond, Done: func(_ oldshop.Action, err error) {
			if err == nil {
				l.shop.Add(1)
			}
		}})
	})
	for i, write := range []func(context.Context, *rand.Rand) error{l.rows, l.loose, l.family, l.swapped, l.small, l.isam, l.columns} {
		writers.Go(func() {
			l.repeat(ctx, uint64(i), l.rate, func(ctx context.Context, dice *rand.Rand) {
				if err := write(ctx, dice); err == nil {
					l.transactions.Add(1)
				} else if ctx.Err() == nil {
					l.failed.Add(1)
					l.log.Debug("a write failed", "writer", i, "cause", err)
				}
			})
		})
	}
	for i := range 2 {
		writers.Go(func() { l.repeat(ctx, 100+uint64(i), l.rate/2, l.call) })
	}
	writers.Wait()
}

// repeat does something again and again, with dice of its own.
func (l *load) repeat(ctx context.Context, number uint64, rate float64, do func(context.Context, *rand.Rand)) {
	dice := rand.New(rand.NewPCG(l.seed, 1+number)) //nolint:gosec // A load is no secret.
	tick := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			one, cancel := context.WithTimeout(ctx, 10*time.Second)
			do(one, dice)
			cancel()
		}
	}
}

// statements runs statements in one transaction.
func (l *load) statements(ctx context.Context, commit bool, statements ...string) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.80s: %w", statement, err)
		}
	}
	if !commit {
		return nil
	}
	return tx.Commit()
}

// rows writes transactions of several rows, with savepoints, changed keys and rollbacks, and a trigger behind them.
func (l *load) rows(ctx context.Context, dice *rand.Rand) error {
	var statements []string
	for range 1 + dice.IntN(6) {
		id := dice.IntN(400)
		switch dice.IntN(10) {
		case 0, 1, 2, 3:
			statements = append(statements, fmt.Sprintf("REPLACE INTO chaos_rows (id, n, name, raw, at, amount, note) VALUES (%d, %d, CONCAT('Zoë ', %d), x'00ff%04x', FROM_UNIXTIME(%d.%06d), %d.%03d, NULL)",
				id, dice.IntN(1000), id, dice.IntN(65536), 1_700_000_000+dice.IntN(1_000_000), dice.IntN(1_000_000), dice.IntN(1_000_000), dice.IntN(1000)))
		case 4, 5, 6:
			statements = append(statements, fmt.Sprintf("UPDATE chaos_rows SET n = n + 1, note = REPEAT('ß', %d) WHERE id BETWEEN %d AND %d", dice.IntN(200), id, id+3))
		case 7:
			statements = append(statements, fmt.Sprintf("UPDATE IGNORE chaos_rows SET id = %d WHERE id = %d", dice.IntN(400), id))
		case 8:
			statements = append(statements, fmt.Sprintf("DELETE FROM chaos_rows WHERE id = %d", id))
		default:
			statements = append(statements, "SAVEPOINT s", fmt.Sprintf("INSERT IGNORE INTO chaos_rows (id, n, name) VALUES (%d, 1, 'never')", 1000+id), "ROLLBACK TO SAVEPOINT s")
		}
	}
	return l.statements(ctx, dice.IntN(10) > 0, statements...)
}

func (l *load) loose(ctx context.Context, dice *rand.Rand) error {
	name := fmt.Sprintf("%c%c", "aAäÄ"[dice.IntN(2)], 'a'+rune(dice.IntN(4)))
	switch dice.IntN(3) {
	case 0:
		return l.statements(ctx, true, fmt.Sprintf("UPDATE chaos_loose SET n = n + 1 WHERE name = '%s' LIMIT 2", name))
	case 1:
		return l.statements(ctx, true, fmt.Sprintf("DELETE FROM chaos_loose WHERE name = '%s' LIMIT 1", name))
	default:
		return l.statements(ctx, true, fmt.Sprintf("INSERT INTO chaos_loose VALUES ('%s', %d), ('%[1]s', %[2]d)", name, dice.IntN(3)))
	}
}

// family writes tables whose rows change and go by foreign keys, unseen by the log.
func (l *load) family(ctx context.Context, dice *rand.Rand) error {
	id := dice.IntN(40)
	switch dice.IntN(6) {
	case 0:
		return l.statements(ctx, true, fmt.Sprintf("DELETE FROM chaos_parents WHERE id = %d", id))
	case 1:
		return l.statements(ctx, true, fmt.Sprintf("UPDATE IGNORE chaos_parents SET id = %d WHERE id = %d", dice.IntN(40), id))
	default:
		return l.statements(ctx, true, fmt.Sprintf("INSERT IGNORE INTO chaos_parents VALUES (%d)", id),
			fmt.Sprintf("INSERT INTO chaos_children (parent) VALUES (%d), (%[1]d)", id), "INSERT INTO chaos_toys (child) VALUES (LAST_INSERT_ID()), (LAST_INSERT_ID())")
	}
}

func (l *load) swapped(ctx context.Context, dice *rand.Rand) error {
	return l.statements(ctx, true, fmt.Sprintf("INSERT INTO chaos_swapped (id, n) VALUES (%d, 1) ON DUPLICATE KEY UPDATE n = n + 1", dice.IntN(100)))
}

func (l *load) small(ctx context.Context, dice *rand.Rand) error {
	return l.statements(ctx, true, fmt.Sprintf("INSERT INTO chaos_small (id, n) VALUES (%d, 1) ON DUPLICATE KEY UPDATE n = n + 1", dice.IntN(100)))
}

func (l *load) isam(ctx context.Context, dice *rand.Rand) error {
	l.gate.RLock()
	defer l.gate.RUnlock()
	return l.statements(ctx, dice.IntN(4) > 0, fmt.Sprintf("INSERT INTO chaos_isam (id, n) VALUES (%d, 1) ON DUPLICATE KEY UPDATE n = n + 1", dice.IntN(100)))
}

// columns writes the column that DDL adds, renames and retypes, where it is there.
func (l *load) columns(ctx context.Context, dice *rand.Rand) error {
	target := alterable()[dice.IntN(len(alterable()))]
	column, _, err := extraColumn(ctx, l.db, target)
	if err != nil || column == "" {
		return err
	}
	return l.statements(ctx, true, fmt.Sprintf("UPDATE %s SET %s = %d LIMIT 3", target, column, dice.IntN(100)))
}

// call writes through the facade.
func (l *load) call(ctx context.Context, dice *rand.Rand) {
	customer := 1 + dice.IntN(60)
	login := fmt.Sprintf("c%d@example.org", dice.Uint64())
	method, path, body := "POST", "/v2/customers", fmt.Sprintf(`{"email": %q, "familyName": "Groß", "phone": "+49 1",
		"address": {"recipient": "Zoë", "street": "Weg 1", "postalCode": "8000", "city": "Zürich", "countryCode": "CH"}}`, login)
	switch dice.IntN(4) {
	case 0, 1:
		login, method, path = "", "PATCH", fmt.Sprintf("/v2/customers/%d", customer)
		body = fmt.Sprintf(`{"phone": "+41 %d", "company": "A & B %d"}`, dice.IntN(1_000_000), dice.IntN(100))
	case 2:
		login, path = "", "/v2/orders:place"
		body = fmt.Sprintf(`{"customerId": %d, "shippingMethod": "SHIPPING_METHOD_EXPRESS", "currencyCode": "CHF", "payment": {"card": {"brand": "VISA", "holder": "Zoë", "lastFour": "0042"}},
			"shippingAddress": {"recipient": "Zoë Groß", "street": "Weg 1", "postalCode": "8000", "city": "Zürich", "countryCode": "CH"}, "lines": [{"sku": %q, "quantity": 1}]}`, customer, l.article(ctx, dice))
	}
	b := l.banyans[dice.IntN(len(l.banyans))]
	code, answer, err := b.call(ctx, method, "http://"+b.rest+path, body)
	switch {
	case err != nil:
		l.unanswered.Add(1)
	case code >= 300:
		l.refused.Add(1)
		l.log.Debug("the facade refused", "code", code, "answer", answer, "method", method, "path", path)
	default:
		l.facade.Add(1)
		if login != "" {
			l.mu.Lock()
			l.registered = append(l.registered, login)
			l.mu.Unlock()
		}
	}
}

// article gives one that is on stock, as far as that can be told.
func (l *load) article(ctx context.Context, dice *rand.Rand) string {
	const query = "SELECT products_sku FROM products p JOIN products_stock s ON s.stock_sku = p.products_sku WHERE products_active = 'J' AND stock_count > 5 ORDER BY products_id LIMIT 1 OFFSET ?"
	sku := "none"
	_ = l.db.QueryRowContext(ctx, query, dice.IntN(10)).Scan(&sku) // the facade refuses the order then
	return sku
}
