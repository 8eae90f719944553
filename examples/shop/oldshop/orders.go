package oldshop

import (
	"context"
	"fmt"
	"strings"
)

// article is what the shopping cart knows of a product.
type article struct {
	id       int64
	sku      string
	name     string
	cents    int64 // price of one, with tax
	tax      float64
	quantity int64
}

// placeOrder takes an order: id from the counter, stock line by line, three copies of the customer's address, and the
// sums, with their texts for people, worked out in the application.
func placeOrder(ctx context.Context, v *visit) error {
	cart, err := v.fillCart(ctx)
	if err != nil {
		return err
	}
	customer, err := v.someID(ctx, "customers")
	if err != nil {
		return err
	}
	err = v.transaction(ctx, func() error {
		id, err := v.nextID(ctx, "orders")
		if err != nil {
			return err
		}
		if err := v.insertOrder(ctx, id, customer); err != nil {
			return err
		}
		for _, a := range cart {
			if err := v.insertPosition(ctx, id, a); err != nil {
				return err
			}
		}
		if err := v.insertTotals(ctx, id, cart); err != nil {
			return err
		}
		return v.exec(ctx, "INSERT INTO orders_log (orders_id, log_nr, log_status, log_time, log_mailed, log_comment) VALUES (?, 1, 1, UNIX_TIMESTAMP(), 1, '')", id)
	})
	if err != nil {
		return err
	}
	for _, a := range cart { // MyISAM, after the commit
		if err := v.exec(ctx, "UPDATE products_texts SET products_views = products_views + 1 WHERE products_id = ? AND language_id = 1", a.id); err != nil {
			return err
		}
	}
	return nil
}

func (v *visit) fillCart(ctx context.Context) ([]article, error) {
	var last int64
	if err := v.one(ctx, []any{&last}, "SELECT COALESCE(MAX(products_id), 0) FROM products"); err != nil {
		return nil, err
	}
	if last == 0 {
		return nil, ErrNothing
	}
	var cart []article
	for range 1 + v.dice.IntN(3) {
		a := article{quantity: 1 + v.dice.Int64N(3)}
		err := v.one(ctx, []any{&a.id, &a.sku, &a.name, &a.cents, &a.tax},
			"SELECT p.products_id, p.products_sku, COALESCE(t.products_name, ''), CAST(ROUND(p.products_price * 100) AS SIGNED), IF(p.products_taxclass = 2, 7, 19) "+
				"FROM products p JOIN products_stock s ON s.stock_sku = p.products_sku "+
				"LEFT JOIN products_texts t ON t.products_id = p.products_id AND t.language_id = 1 "+
				"WHERE p.products_id >= ? AND p.products_active = 'J' AND s.stock_count >= ? ORDER BY p.products_id LIMIT 1",
			1+v.dice.Int64N(last), a.quantity)
		if err != nil {
			return nil, err
		}
		cart = append(cart, a)
	}
	return cart, nil
}

// insertOrder copies the customer, as he is now, into a new order.
func (v *visit) insertOrder(ctx context.Context, id, customer int64) error {
	const columns = "_name, %[1]s_company, %[1]s_street, %[1]s_zip, %[1]s_city, %[1]s_country"
	names := make([]string, 0, 3)
	for _, of := range []string{"orders_cust", "orders_ship", "orders_bill"} {
		names = append(names, fmt.Sprintf("%[1]s"+columns, of))
	}
	address := strings.Repeat("a.addresses_name, a.addresses_company, a.addresses_street, a.addresses_zip, a.addresses_city, k.countries_name, ", 3)
	n, err := v.changed(ctx, "INSERT INTO orders (orders_id, orders_customer, orders_email, "+strings.Join(names, ", ")+
		", orders_shipping, orders_payment, orders_payment_days, orders_currency, orders_currency_rate, orders_status, orders_ip, orders_purchased) "+
		"SELECT ?, c.customers_id, c.customers_login, "+address+"'STD', 'invoice', 14, 'EUR', 1, 1, '192.0.2.1', NOW() "+
		"FROM customers c JOIN customers_addresses a ON a.addresses_id = c.customers_address JOIN countries k ON k.countries_id = a.addresses_country "+
		"WHERE c.customers_id = ? AND c.customers_locked = 0", id, customer)
	if err == nil && n == 0 {
		return ErrNothing // without an address, or locked
	}
	return err
}

func (v *visit) insertPosition(ctx context.Context, id int64, a article) error {
	n, err := v.changed(ctx, "UPDATE products_stock SET stock_count = stock_count - ?, stock_changed = UNIX_TIMESTAMP() WHERE stock_sku = ? AND stock_count >= ?",
		a.quantity, a.sku, a.quantity)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrNothing // sold out while the cart was filled
	}
	return v.exec(ctx, "INSERT INTO orders_positions (orders_id, products_id, positions_sku, positions_name, positions_quantity, positions_price, positions_tax) VALUES (?, ?, ?, ?, ?, ?, ?)",
		id, fmt.Sprint(a.id), a.sku, a.name, a.quantity, decimal(a.cents), a.tax)
}

func (v *visit) insertTotals(ctx context.Context, id int64, cart []article) error {
	const shipping = 490
	var subtotal, tax int64
	for _, a := range cart {
		sum := a.cents * a.quantity
		subtotal += sum
		tax += int64(float64(sum)*a.tax/(100+a.tax) + 0.5)
	}
	for _, t := range []struct {
		class, label, format string
		cents                int64
		place                int
	}{
		{"sub", "Zwischensumme:", "%s &euro;", subtotal, 10},
		{"ship", "Versand:", "%s &euro;", shipping, 20},
		{"tax", "enth. MwSt.:", "%s &euro;", tax, 40},
		{"total", "<b>Summe:</b>", "<b>%s &euro;</b>", subtotal + shipping, 50},
	} {
		text := fmt.Sprintf(t.format, strings.Replace(decimal(t.cents), ".", ",", 1))
		if err := v.exec(ctx, "INSERT INTO orders_total (orders_id, total_class, total_label, total_text, total_value, order_) VALUES (?, ?, ?, ?, ?, ?)",
			id, t.class, t.label, text, decimal(t.cents), t.place); err != nil {
			return err
		}
	}
	return nil
}

// decimal gives an amount with two places.
func decimal(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// theirs is the first id of the new order service's orders. The shop's people have been told to leave those to it: what the
// old application changed in them would be a conflict.
const theirs = 1_000_000_000

// moveOrder takes the oldest order of some state a step further.
func moveOrder(ctx context.Context, v *visit) error {
	steps := []struct{ from, to, column string }{
		{"1", "2", "orders_paid"}, {"2", "3", "orders_shipped"}, {"3", "5", "orders_changed"},
	}
	s := steps[v.dice.IntN(len(steps))]
	var id int64
	if err := v.one(ctx, []any{&id}, "SELECT orders_id FROM orders WHERE orders_status = ? AND orders_id < ? ORDER BY orders_id LIMIT 1", s.from, theirs); err != nil {
		return err
	}
	return v.transaction(ctx, func() error {
		n, err := v.changed(ctx, "UPDATE orders SET orders_status = ?, orders_changed = NOW(), "+s.column+" = NOW() WHERE orders_id = ? AND orders_status = ?", s.to, id, s.from)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNothing // somebody else was faster
		}
		return v.logStep(ctx, id, s.to)
	})
}

// cancelOrder cancels the newest open order and gives its stock back.
func cancelOrder(ctx context.Context, v *visit) error {
	var id int64
	if err := v.one(ctx, []any{&id}, "SELECT orders_id FROM orders WHERE orders_status = 1 AND orders_id < ? ORDER BY orders_id DESC LIMIT 1", theirs); err != nil {
		return err
	}
	return v.transaction(ctx, func() error {
		n, err := v.changed(ctx, "UPDATE orders SET orders_status = 9, orders_changed = NOW() WHERE orders_id = ? AND orders_status = 1", id)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNothing
		}
		if err := v.exec(ctx, "UPDATE products_stock s JOIN (SELECT positions_sku AS sku, SUM(positions_quantity) AS n FROM orders_positions WHERE orders_id = ? GROUP BY positions_sku) p "+
			"ON p.sku = s.stock_sku SET s.stock_count = s.stock_count + p.n, s.stock_changed = UNIX_TIMESTAMP()", id); err != nil {
			return err
		}
		return v.logStep(ctx, id, "9")
	})
}

func (v *visit) logStep(ctx context.Context, id int64, status string) error {
	return v.exec(ctx, "INSERT INTO orders_log (orders_id, log_nr, log_status, log_time, log_mailed, log_comment) "+
		"SELECT ?, COALESCE(MAX(log_nr), 0) + 1, ?, UNIX_TIMESTAMP(), 1, NULL FROM orders_log WHERE orders_id = ?", id, status, id)
}
