package generate

import "strconv"

// reference writes the lists that the whole shop looks things up in.
func (w *world) reference(out *writer) {
	t := out.table("languages", "languages_id, languages_code, languages_name, languages_default")
	t.row(1, "de", "Deutsch", 1)
	t.row(2, "en", "English", 0)

	t = out.table("countries", "countries_id, countries_name, countries_oldname, countries_iso, countries_eu")
	for i, c := range countries() {
		t.row(i+1, c.name, c.old, c.iso, c.eu)
	}
	t = out.table("currencies", "currencies_code, currencies_title, currencies_left, currencies_right, currencies_point, currencies_rate, currencies_updated")
	for _, c := range currencies() {
		t.row(c.code, c.title, c.left, c.right, c.point, c.rate, epoch(w.Until))
	}
	t = out.table("tax_rates", "tax_class, tax_percent, tax_title")
	t.row(1, taxPercent(1), "MwSt. 19%")
	t.row(2, taxPercent(2), "MwSt. 7%")

	t = out.table("counters", "counters_name, counters_value")
	t.row("customers", w.Customers)
	t.row("orders", w.Orders)
	t.row("newsletters", 212)

	t = out.table("customers_groups", "customers_group, language_id, groups_name")
	for _, g := range []struct {
		id     int
		de, en string
	}{{0, "Privatkunde", "Retail"}, {1, "Gewerbe", "Trade"}, {7, "Wiederverkäufer", "Reseller"}, {99, "Mitarbeiter", "Staff"}} {
		t.row(g.id, 1, g.de)
		t.row(g.id, 2, g.en)
	}
	t = out.table("orders_status", "status_id, language_id, status_name")
	for _, s := range []struct {
		id     int
		de, en string
	}{{1, "Offen", "Pending"}, {2, "In Arbeit", "Processing"}, {3, "Versandt", "Shipped"}, {5, "Zugestellt", "Delivered"}, {8, "Retoure", "Returned"}, {9, "Storniert", "Cancelled"}} {
		t.row(s.id, 1, s.de)
		t.row(s.id, 2, s.en)
	}
	w.configuration(out.table("configuration", "`key`, `group`, `value`, order_, changed"))
}

// configuration writes what the back office has set: texts, numbers, and PHP arrays as serialize() writes them.
func (w *world) configuration(t *table) {
	d := w.dice(ofLeftover, 0)
	for i, c := range []struct{ key, group, value string }{
		{"SHOP_NAME", "shop", escape(`Haus & Garten "Zur Linde"`)},
		{"SHOP_CURRENCY", "shop", "EUR"},
		{"SHOP_MAIL", "shop", "laden@example.com"},
		{"SHOP_OPEN", "shop", "true"},
		{"SHIPPING_STANDARD", "shipping", `a:4:{s:2:"DE";d:4.9;s:2:"AT";d:9.9;s:2:"CH";d:14.9;s:1:"*";d:19.9;}`},
		{"SHIPPING_EXPRESS", "shipping", `a:3:{s:2:"DE";d:11.9;s:2:"AT";d:24.5;s:1:"*";d:49;}`},
		{"SHIPPING_PICKUP", "shipping", `a:1:{s:1:"*";d:0;}`},
		{"PAYMENT_METHODS", "payment", `a:4:{i:0;s:2:"cc";i:1;s:6:"prepay";i:2;s:7:"invoice";i:3;s:3:"cod";}`},
		{"PAYMENT_INVOICE", "payment", `a:2:{s:4:"days";i:14;s:6:"groups";a:3:{i:0;i:1;i:1;i:7;i:2;i:99;}}`},
		{"STOCK_CHECK", "stock", "1"},
		{"STOCK_ALLOW_CHECKOUT", "stock", ""},
		{"MAIL_FOOTER", "mail", escape("<p>Mit freundlichen Grüßen<br>Ihr Lädchen</p>")},
		{"SESSION_LIFETIME", "session", "1440"},
		{"IMAGE_SIZES", "images", `a:3:{s:5:"small";a:2:{i:0;i:80;i:1;i:80;}s:6:"medium";a:2:{i:0;i:240;i:1;i:240;}s:5:"large";N;}`},
	} {
		changed := moment{}
		if d.percent(60) {
			changed.Time = d.time(opening, w.Until)
		}
		t.row(c.key, c.group, c.value, (i+1)*10, changed)
	}
}

// country is a row of the shop's list. Orders from before renamed copy its old name.
type country struct{ name, old, iso, eu string }

// renamed is the year in which the shop updated the names of its countries.
const renamed = 2016

// countries gives the shop's list; the first ones are where most customers live.
func countries() []country {
	return []country{
		{"Deutschland", "", "DE", "1"},
		{"Österreich", "", "AT", "1"},
		{"Schweiz", "", "CH", "0"},
		{"Niederlande", "Holland", "NL", "1"},
		{"Frankreich", "", "FR", "1"},
		{"Italien", "", "IT", "1"},
		{"Dänemark", "", "DK", "1"},
		{"Tschechien", "Tschechische Republik", "CZ", "1"},
		{"Vereinigtes Königreich", "Großbritannien", "GB", ""},
		{"Vereinigte Staaten", "USA", "US", "0"},
		{"Belgien", "", "BE", "1"},
		{"Luxemburg", "", "LU", "1"},
		{"Polen", "", "PL", "1"},
		{"Schweden", "", "SE", "1"},
		{"Norwegen", "", "NO", "0"},
		{"Finnland", "", "FI", "1"},
		{"Spanien", "", "ES", "1"},
		{"Portugal", "", "PT", "1"},
		{"Irland", "Republik Irland", "IE", "1"},
		{"Ungarn", "", "HU", "1"},
		{"Slowakei", "Slowakische Republik", "SK", "1"},
		{"Slowenien", "", "SI", "1"},
		{"Kroatien", "", "HR", ""},
		{"Liechtenstein", "", "LI", "0"},
		{"Nordmazedonien", "Mazedonien", "MK", "0"},
		{"Côte d'Ivoire", "Elfenbeinküste", "CI", "0"},
	}
}

// currency is a row of the shop's list: how amounts are written for people, and today's rate.
type currency struct {
	code, title, left, right, point string
	rate                            micro
}

func currencies() []currency {
	return []currency{
		{"EUR", "Euro", "", " &euro;", ",", 1_000000},
		{"CHF", "Schweizer Franken", "CHF ", "", ".", 1_083400},
		{"USD", "US-Dollar", "$", "", ".", 1_127850},
		{"GBP", "Britisches Pfund", "&pound;", "", ".", 856200},
		{"DKK", "Dänische Krone", "", " kr", ",", 7_459700},
		{"CZK", "Tschechische Krone", "", " K&#269;", ",", 25_118000},
	}
}

// format writes an amount for people, as orders_total holds it.
func (c currency) format(v decimal) string {
	cents := (int64(v) + 50) / 100
	sign := ""
	if v < 0 {
		cents, sign = (int64(-v)+50)/100, "-"
	}
	thousands := ","
	if c.point == "," {
		thousands = "."
	}
	whole := strconv.FormatInt(cents/100, 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + thousands + whole[i:]
	}
	return c.left + sign + whole + c.point + strconv.FormatInt(cents%100/10, 10) + strconv.FormatInt(cents%10, 10) + c.right
}
