package generate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// orderTables are the tables that an order is spread over.
type orderTables struct {
	orders, positions, totals, log *table
	position, total                int // the last ids given
}

// orders writes the orders, the oldest first.
func (w *world) orders(out *writer) {
	t := &orderTables{
		orders: out.table("orders", "orders_id, orders_customer, orders_email, "+
			"orders_cust_name, orders_cust_company, orders_cust_street, orders_cust_zip, orders_cust_city, orders_cust_country, "+
			"orders_ship_name, orders_ship_company, orders_ship_street, orders_ship_zip, orders_ship_city, orders_ship_country, "+
			"orders_bill_name, orders_bill_company, orders_bill_street, orders_bill_zip, orders_bill_city, orders_bill_country, "+
			"orders_shipping, orders_payment, orders_payment_ref, orders_payment_days, orders_card_brand, orders_card_holder, orders_card_number, orders_card_expires, "+
			"orders_currency, orders_currency_rate, orders_status, orders_language, orders_gift, orders_comment, orders_ip, "+
			"orders_purchased, orders_changed, orders_paid, orders_shipped"),
		positions: out.table("orders_positions", "positions_id, orders_id, products_id, positions_sku, positions_name, positions_quantity, positions_price, positions_tax"),
		totals:    out.table("orders_total", "total_id, orders_id, total_class, total_label, total_text, total_value, order_"),
		log:       out.table("orders_log", "orders_id, log_nr, log_status, log_time, log_mailed, log_comment"),
	}
	for n := 1; n <= w.Orders; n++ {
		w.writeOrder(t, n)
	}
}

// order is an order in the making.
type order struct {
	id        int
	dice      dice
	customer  customer
	purchased time.Time
	currency  currency
	rate      micro
	steps     []step
	ship      address
}

func (w *world) writeOrder(t *orderTables, n int) {
	d := w.dice(ofOrder, n)
	o := order{id: n, dice: d}
	slot := w.Until.Sub(opening) / time.Duration(w.Orders)
	o.purchased = d.time(opening.Add(slot*time.Duration(n-1)), opening.Add(slot*time.Duration(n)))
	o.customer = w.customer(d.between(1, w.Customers))
	o.currency = currencies()[0]
	if d.percent(12) {
		o.currency = pick(d, currencies())
	}
	o.rate = o.currency.rate
	if o.currency.code != "EUR" {
		o.rate += o.rate * micro(d.between(-500, 500)) / 10000 // what it was on that day
	}
	own := address{name: strings.TrimSpace(o.customer.first + " " + o.customer.last), company: o.customer.company}
	if len(o.customer.addresses) > 0 {
		own = o.customer.addresses[0]
	}
	o.ship = own
	if len(o.customer.addresses) > 1 && d.percent(40) {
		o.ship = o.customer.addresses[1]
	}
	o.steps = life(d, o.purchased, w.Until, n > w.Orders-w.Orders/50-3)
	last := o.steps[len(o.steps)-1]
	var changed, paid, shipped moment
	for _, s := range o.steps[1:] {
		changed.Time = s.at
		switch s.status {
		case 2:
			paid.Time = s.at
		case 3:
			shipped.Time = s.at
		}
	}
	var comment any
	switch roll := d.IntN(100); {
	case roll < 15:
		comment = escape(pick(d, comments()))
	case roll < 35:
		comment = ""
	}
	pay := pay(d, o, w.Until)
	values := []any{n, o.customer.id, o.customer.email}
	for _, a := range []address{own, o.ship, own} {
		values = append(values, a.name, a.company, a.street, a.zip, a.city, countryText(a, o.purchased))
	}
	values = append(values, pick(d, []string{"STD", "STD", "STD", "EXP", "PICK"}),
		pay.kind, pay.reference, pay.days, pay.brand, pay.holder, pay.number, pay.expires,
		o.currency.code, o.rate, last.status, 1+bit(o.ship.country > 8), yes(d.percent(5), "1", ""), comment,
		fmt.Sprintf("192.0.2.%d", d.IntN(256)), moment{o.purchased}, changed, paid, shipped)
	t.orders.row(values...)
	w.writeLines(t, o)
	o.writeLog(t.log)
}

// countryText gives the country as the shop wrote it on that day. An order of a customer without an address has none.
func countryText(a address, at time.Time) string {
	c := countries()[a.country]
	switch {
	case a.street == "":
		return ""
	case c.old != "" && at.Year() < renamed:
		return c.old
	default:
		return c.name
	}
}

// writeLines writes what was ordered, and the sums below it.
func (w *world) writeLines(t *orderTables, o order) {
	d := o.dice
	var subtotal, tax decimal
	for range d.between(1, 4) {
		p := w.product(d.between(1, w.Products))
		quantity := pick(d, []int{1, 1, 1, 2, 3, 10})
		price := cents(decimal(int64(p.price) * int64(o.rate) / 1000000))
		percent := taxPercent(p.taxClass)
		t.position++
		t.positions.row(t.position, o.id, strconv.Itoa(p.id), p.sku, p.name, quantity, price, percent)
		sum := price * decimal(quantity)
		subtotal += sum
		tax += cents(sum * percent / (100_0000 + percent))
	}
	shipping := cents(pick(d, []decimal{4_9000, 4_9000, 9_9000, 0}) * decimal(o.rate) / 1000000)
	discount := decimal(0)
	if d.percent(5) {
		discount = min(subtotal, 5_0000)
	}
	t.sum(o, "sub", "Zwischensumme:", subtotal, 10)
	t.sum(o, "ship", "Versand:", shipping, 20)
	if discount > 0 {
		t.sum(o, "voucher", "Gutschein:", -discount, 30)
	}
	t.sum(o, "tax", "enth. MwSt.:", tax, 40)
	t.sum(o, "total", "<b>Summe:</b>", subtotal+shipping-discount, 50)
}

// cents rounds to two places.
func cents(v decimal) decimal { return (v + 50) / 100 * 100 }

func (t *orderTables) sum(o order, class, label string, value decimal, place int) {
	text := o.currency.format(value)
	if class == "total" {
		text = "<b>" + text + "</b>"
	}
	t.total++
	t.totals.row(t.total, o.id, class, label, text, value, place)
}

// step is one state that an order came to.
type step struct {
	status int
	at     time.Time
	mailed bool
}

// life makes up what happened to an order until now, which is long over for most; not so for a young one.
func life(d dice, purchased, now time.Time, young bool) []step {
	path := []int{1, 2, 3, 5}
	switch roll := d.IntN(100); {
	case roll < 5:
		path = []int{1, 9}
	case roll < 8:
		path = []int{1, 2, 3, 5, 8}
	}
	if young {
		path = path[:min(len(path), d.between(1, 3))]
	}
	var steps []step
	at := purchased
	for _, status := range path {
		if at.After(now) {
			break
		}
		steps = append(steps, step{status, at, status != 2})
		at = at.Add(time.Duration(d.between(2, 70)) * time.Hour)
	}
	return steps
}

func (o order) writeLog(t *table) {
	for i, s := range o.steps {
		var comment any
		switch {
		case s.status == 9:
			comment = escape(`Kunde: "zu teuer"`)
		case s.mailed:
			comment = ""
		}
		t.row(o.id, i+1, s.status, epoch(s.at), bit(s.mailed), comment)
	}
}
