package oldshop

import (
	"context"
	"fmt"
)

// register opens an account: id from the counter, the address, then the customer that points to it.
func register(ctx context.Context, v *visit) error {
	return v.transaction(ctx, func() error {
		id, err := v.nextID(ctx, "customers")
		if err != nil {
			return err
		}
		if err := v.exec(ctx, "INSERT INTO customers_addresses (customers_id, addresses_name, addresses_street, addresses_zip, addresses_city, addresses_country) VALUES (?, ?, ?, ?, ?, 1)",
			id, "Jörg Übel", fmt.Sprintf("Gartenweg %d", 1+v.dice.IntN(99)), fmt.Sprintf("%05d", 1000+v.dice.IntN(98000)), "Köln"); err != nil {
			return err
		}
		return v.exec(ctx, "INSERT INTO customers (customers_id, customers_login, customers_password, customers_title, customers_firstname, customers_lastname, customers_newsletter, customers_address, customers_since) "+
			"VALUES (?, ?, ?, 'm', 'Jörg', 'Übel', 'Y', LAST_INSERT_ID(), UNIX_TIMESTAMP())",
			id, fmt.Sprintf("neu%d@example.com", id), fmt.Sprintf("%016x%016x:%02x", v.dice.Uint64(), v.dice.Uint64(), v.dice.IntN(256)))
	})
}

// editCustomer changes a phone number, and the points beside it.
func editCustomer(ctx context.Context, v *visit) error {
	id, err := v.someID(ctx, "customers")
	if err != nil {
		return err
	}
	if err := v.exec(ctx, "UPDATE customers SET customers_phone = ?, customers_changed = NOW() WHERE customers_id = ?", fmt.Sprintf("0221/%06d", v.dice.IntN(1000000)), id); err != nil {
		return err
	}
	return v.exec(ctx, "UPDATE customers_points SET points_balance = points_balance + 10, points_changed = UNIX_TIMESTAMP() WHERE points_customer = LPAD(?, 8, '0')", id)
}

// browse is what every page does: throw out old sessions, touch this one, now and then log in or search.
func browse(ctx context.Context, v *visit) error {
	if err := v.exec(ctx, "DELETE FROM sessions WHERE sessions_expires < UNIX_TIMESTAMP() LIMIT 10"); err != nil {
		return err
	}
	key := fmt.Sprintf("%032x", v.dice.Uint64N(500))
	value := fmt.Sprintf(`customer_id|i:%d;cart|a:0:{}language|s:2:"de";`, v.dice.IntN(1000))
	n, err := v.changed(ctx, "UPDATE sessions SET sessions_expires = UNIX_TIMESTAMP() + 1440, sessions_value = ? WHERE sessions_key = ?", value, key)
	if err != nil {
		return err
	}
	if n == 0 {
		if err := v.exec(ctx, "INSERT INTO sessions (sessions_key, sessions_expires, sessions_value) VALUES (?, UNIX_TIMESTAMP() + 1440, ?)", key, value); err != nil {
			return err
		}
	}
	switch v.dice.IntN(4) {
	case 0:
		id, err := v.someID(ctx, "customers")
		if err != nil {
			return err
		}
		return v.exec(ctx, "UPDATE customers SET customers_lastlogin = UNIX_TIMESTAMP(), customers_logins = customers_logins + 1 WHERE customers_id = ?", id)
	case 1:
		return v.exec(ctx, "INSERT INTO search_log (search_words, search_hits, search_time) VALUES ('s&auml;ge', ?, UNIX_TIMESTAMP())", v.dice.IntN(30))
	}
	return nil
}
