package generate

import (
	"fmt"
	"strings"
	"time"
)

// payment is how an order was paid, in the columns of the old shop.
type payment struct {
	kind, reference                string
	days                           int
	brand, holder, number, expires string
}

// pay makes up a payment. Numbers of cards are random digits; those of the last years stand in the table in full,
// which is what the contract must never show.
func pay(d dice, o order, now time.Time) payment {
	switch roll := d.IntN(100); {
	case roll < 35:
		p := payment{kind: "cc", brand: "VISA", holder: strings.TrimSpace(o.customer.first + " " + o.customer.last)}
		first := "4"
		if d.percent(40) {
			p.brand, first = "MASTERCARD", "5"
		}
		p.number = first + d.digits(15)
		if o.purchased.Before(now.AddDate(-10, 0, 0)) {
			p.number = "xxxxxxxxxxxx" + p.number[12:]
		}
		p.expires = fmt.Sprintf("%02d%02d", d.between(1, 12), (o.purchased.Year()+d.between(1, 3))%100)
		return p
	case roll < 60:
		return payment{kind: "prepay", reference: fmt.Sprintf("Bestellung %d", o.id)}
	case roll < 85:
		return payment{kind: "invoice", days: d.between(1, 2) * 14}
	default:
		return payment{kind: "cod"}
	}
}
