package generate

import (
	"fmt"
	"strconv"
)

// leftovers writes the tables that the contract does not know: sessions, vouchers and logs.
func (w *world) leftovers(out *writer) {
	d := w.dice(ofLeftover, 1)
	sessions := out.table("sessions", "sessions_key, sessions_expires, sessions_value")
	for range min(200, w.Customers) {
		sessions.row(fmt.Sprintf("%016x%016x", d.Uint64(), d.Uint64()), epoch(w.Until.Add(1440e9)), sessionValue(d, d.between(1, w.Customers)))
	}
	vouchers := out.table("vouchers", "vouchers_code, vouchers_amount, vouchers_active, vouchers_used, vouchers_until")
	for i := range 40 {
		until := "0000-00-00"
		if d.percent(50) {
			until = w.Until.AddDate(0, d.between(-24, 12), 0).Format("2006-01-02")
		}
		vouchers.row(fmt.Sprintf("DANKE%03d", i), decimal(d.between(1, 5)*50000), yes(d.percent(80), "Y", "N"), d.IntN(30), until)
	}
	newsletters := out.table("newsletter_log", "customers_id, newsletter_nr, newsletter_sent")
	searches := out.table("search_log", "search_words, search_hits, search_time")
	for range w.Customers / 4 {
		newsletters.row(strconv.Itoa(d.between(1, w.Customers)), d.between(1, 212), epoch(d.time(opening, w.Until)))
		searches.row(escape(pick(d, nouns()).de), d.IntN(60), epoch(d.time(opening, w.Until)))
	}
}

// sessionValue gives a session as PHP writes it.
func sessionValue(d dice, customer int) string {
	return fmt.Sprintf(`customer_id|i:%d;cart|a:1:{i:%d;a:1:{s:3:"qty";i:%d;}}language|s:2:"de";`, customer, d.between(1, 500), d.between(1, 4))
}
