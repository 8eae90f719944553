package generate

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// customer is what orders and reviews need to know of a customer.
type customer struct {
	id          int
	title       string
	first, last string
	company     string // escaped
	email       string
	group       int
	addresses   []address // the first is the default one; may be empty
	since       time.Time
	dice        dice // goes on where these facts end
}

// address is one of a customer's addresses.
type address struct {
	name, company, street, zip, city string
	country                          int // index into countries()
}

// customer makes customer n, counted from 1.
func (w *world) customer(n int) customer {
	d := w.dice(ofCustomer, n)
	c := customer{id: n, dice: d, last: pick(d, familyNames())}
	switch roll := d.IntN(100); {
	case roll < 45:
		c.title, c.first = "m", pick(d, menNames())
	case roll < 88:
		c.title, c.first = "f", pick(d, womenNames())
	case roll < 97:
		c.title = "c"
	}
	if c.title == "c" || d.percent(5) {
		c.company = escape(fmt.Sprintf(pick(d, companyForms()), pick(d, familyNames())))
		c.group = pick(d, []int{0, 1, 1, 7})
	}
	if d.percent(1) {
		c.group = 99
	}
	c.email = fold(strings.Trim(c.first+"."+c.last, ".")) + strconv.Itoa(n) + "@" + pick(d, []string{"example.com", "example.org", "example.net"})
	// Ids grow with time, as those of a counter do.
	share := float64(n-1) / float64(max(w.Customers, 1))
	c.since = opening.Add(time.Duration(share * float64(w.Until.Sub(opening)))).Truncate(time.Second)
	if !d.percent(3) {
		c.addresses = append(c.addresses, w.address(d, c.first+" "+c.last, c.company))
		for d.percent(15) && len(c.addresses) < maxAddresses {
			c.addresses = append(c.addresses, w.address(d, pick(d, womenNames())+" "+c.last, ""))
		}
	}
	return c
}

// maxAddresses is how many ids of addresses are set apart for each customer.
const maxAddresses = 4

func (w *world) address(d dice, name, company string) address {
	a := address{name: strings.TrimSpace(name), company: company}
	switch roll := d.IntN(100); {
	case roll < 70:
	case roll < 80:
		a.country = 1
	case roll < 88:
		a.country = 2
	default:
		a.country = d.IntN(len(countries()))
	}
	iso := countries()[a.country].iso
	places := cities()[iso]
	if places == nil {
		places = cities()[""]
	}
	a.city = pick(d, places)
	a.street = pick(d, streets()) + " " + strconv.Itoa(d.between(1, 140)) + pick(d, []string{"", "", "", "a", " b"})
	switch iso {
	case "DE":
		a.zip = "0" + d.digits(4)
		if !d.percent(20) {
			a.zip = strconv.Itoa(d.between(1, 9)) + d.digits(4)
		}
	case "NL":
		a.zip = d.digits(4) + " XB"
	case "GB":
		a.zip = "SW1A " + d.digits(1) + "AA"
	default:
		a.zip = strconv.Itoa(d.between(1, 9)) + d.digits(3)
	}
	return a
}

// customers writes the customers and what hangs on them.
func (w *world) customers(out *writer) {
	t := customerTables{
		customers: out.table("customers", "customers_id, customers_login, customers_password, customers_title, customers_firstname, customers_lastname, customers_company, customers_phone, customers_birthday, customers_group, customers_newsletter, customers_locked, customers_address, customers_since, customers_lastlogin, customers_logins, customers_changed"),
		addresses: out.table("customers_addresses", "addresses_id, customers_id, addresses_name, addresses_company, addresses_street, addresses_zip, addresses_city, addresses_country"),
		points:    out.table("customers_points", "points_customer, points_balance, points_changed"),
		extra:     out.table("customers_extra", "customers_id, `group`, `key`, `value`, order_"),
	}
	for n := 1; n <= w.Customers; n++ {
		w.writeCustomer(t, n)
	}
}

// customerTables are the tables that a customer is spread over.
type customerTables struct {
	customers, addresses, points, extra *table
}

func (w *world) writeCustomer(t customerTables, n int) {
	c := w.customer(n)
	d := c.dice
	home := 0
	for i, a := range c.addresses {
		id := (n-1)*maxAddresses + i + 1
		if i == 0 {
			home = id
		}
		t.addresses.row(id, n, a.name, a.company, a.street, a.zip, a.city, a.country+1)
	}
	var birthday, changed moment
	if d.percent(60) {
		birthday.Time = time.Date(d.between(1930, 2004), time.Month(d.between(1, 12)), d.between(1, 28), 0, 0, 0, 0, time.UTC)
	}
	if d.percent(40) {
		changed.Time = d.time(c.since, w.Until)
	}
	var login time.Time
	logins := 0
	if d.percent(80) {
		login, logins = d.time(c.since, w.Until), d.between(1, 300)
	}
	phone := ""
	if d.percent(70) {
		phone = "0" + d.digits(3) + "/" + d.digits(6)
	}
	// The shape of an old hash, MD5 and a salt of two; no password leads to these.
	hash := fmt.Sprintf("%016x%016x:%02x", d.Uint64(), d.Uint64(), d.IntN(256))
	t.customers.row(n, c.email, hash, c.title, c.first, c.last, c.company, phone, birthday, c.group,
		yes(d.percent(35), "Y", "N"), bit(d.percent(1)), home, epoch(c.since), epoch(login), logins, changed)
	if d.percent(30) {
		t.points.row(fmt.Sprintf("%08d", n), d.between(0, 5000), epoch(w.Until))
	}
	if d.percent(20) {
		t.extra.row(strconv.Itoa(n), "herkunft", "source", pick(d, []string{"Messe 2009", "Freunde 🌳", "Zeitung"}), 10)
	}
	if d.percent(5) {
		t.extra.row(strconv.Itoa(n), "intern", "note", "ruft gern an; \"schwierig\"", 20)
	}
}
