-- Orders: placing and cancelling. The id comes from the counter table; stock is taken line by line and all is undone
-- when one line can't be had. Prices are the catalogue's at the rate of the day, rounded to cents.

-- rpc: shop.v2.OrderService.PlaceOrder
-- name: customer :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_CUSTOMER "order.customer_id: there is no customer {order.customer_id}; CreateCustomer opens an account"
SELECT c.customers_login AS _email, CONCAT(c.customers_firstname, ' ', c.customers_lastname) AS _name, c.customers_company AS _company,
       COALESCE(a.addresses_street, '') AS _street, COALESCE(a.addresses_zip, '') AS _zip, COALESCE(a.addresses_city, '') AS _city,
       COALESCE(k.countries_name, '') AS _country
  FROM customers c
  LEFT JOIN customers_addresses a ON a.addresses_id = c.customers_address
  LEFT JOIN countries k ON k.countries_id = a.addresses_country
 WHERE c.customers_id = :order.customer_id;
-- name: barred :opt into=-
-- expect: 0 else FAILED_PRECONDITION CUSTOMER_BLOCKED "customer {order.customer_id} is barred from ordering; UpdateCustomer can change that"
SELECT c.customers_id AS _id FROM customers c WHERE c.customers_id = :order.customer_id AND c.customers_locked <> 0;
-- name: destination :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_COUNTRY "order.shipping_address.country_code: '{order.shipping_address.country_code}' is no country that the shop delivers to"
SELECT k.countries_name AS _country FROM countries k WHERE k.countries_iso = CONVERT(:order.shipping_address.country_code USING latin1);
-- name: payer :opt into=-
-- expect: 0 else INVALID_ARGUMENT UNKNOWN_COUNTRY "order.billing_address.country_code: '{order.billing_address.country_code}' is no country that the shop knows"
SELECT 1 AS _unknown FROM DUAL
 WHERE :order.billing_address.country_code IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM countries k WHERE k.countries_iso = CONVERT(:order.billing_address.country_code USING latin1));
-- name: currency :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_CURRENCY "order.currency_code: the shop does not sell in {order.currency_code}; leave it empty for its own currency"
SELECT c.currencies_code AS _code, c.currencies_rate AS _rate FROM currencies c
 WHERE c.currencies_code = COALESCE(NULLIF(CONVERT(:order.currency_code USING latin1), ''), (SELECT f.`value` FROM configuration f WHERE f.`key` = 'SHOP_CURRENCY'));
-- The fees of a method are a PHP array by country, such as a:2:{s:2:"DE";d:4.9;s:1:"*";d:19.9;}; "*" stands for the rest.
-- name: fee :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_SHIPPING_METHOD "order.shipping_method: say how the parcel shall go"
SELECT CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(f.`value`, CONCAT('"', IF(LOCATE(CONCAT('"', :order.shipping_address.country_code, '"'), f.`value`) > 0, :order.shipping_address.country_code, '*'), '";d:'), -1), ';', 1) AS DECIMAL(15,4)) AS _amount
  FROM configuration f WHERE f.`key` = CONCAT('SHIPPING_', :name(order.shipping_method));
-- name: next :exec
UPDATE counters SET counters_value = LAST_INSERT_ID(counters_value + 1) WHERE counters_name = 'orders';
-- name: lines :exec each=order.lines as=line
-- expect: 1 else FAILED_PRECONDITION NOT_BUYABLE "{line.sku} can't be bought; GetProduct tells why"
INSERT INTO orders_positions (orders_id, products_id, positions_sku, positions_name, positions_quantity, positions_price, positions_tax)
SELECT :next.last_insert_id, p.products_id, p.products_sku,
       COALESCE((SELECT t.products_name FROM products_texts t JOIN languages l ON l.languages_id = t.language_id WHERE t.products_id = p.products_id AND l.languages_default = 1), ''),
       :line.quantity, ROUND(p.products_price * CAST(:currency._rate AS DECIMAL(14,6)), 2),
       COALESCE((SELECT MAX(r.tax_percent) FROM tax_rates r WHERE r.tax_class = p.products_taxclass), 0)
  FROM products p
 WHERE p.products_sku = CONVERT(:line.sku USING latin1) AND p.products_active = 'J' AND p.products_removed = '0000-00-00 00:00:00';
-- name: some :many into=-
-- expect: > 0 else INVALID_ARGUMENT EMPTY_ORDER "order.lines: an order needs at least one line"
SELECT l.positions_id AS _id FROM orders_positions l WHERE l.orders_id = :next.last_insert_id;
-- name: stock :exec each=order.lines as=line
-- expect: 1 else FAILED_PRECONDITION OUT_OF_STOCK "{line.sku}: {line.quantity} can't be delivered; order at least one and at most GetProduct's available_quantity"
UPDATE products_stock SET stock_count = stock_count - :line.quantity, stock_changed = UNIX_TIMESTAMP()
 WHERE stock_sku = :line.sku AND :line.quantity > 0 AND stock_count >= :line.quantity;
-- name: insert :exec
INSERT INTO orders (orders_id, orders_customer, orders_email,
       orders_cust_name, orders_cust_company, orders_cust_street, orders_cust_zip, orders_cust_city, orders_cust_country,
       orders_ship_name, orders_ship_company, orders_ship_street, orders_ship_zip, orders_ship_city, orders_ship_country,
       orders_bill_name, orders_bill_company, orders_bill_street, orders_bill_zip, orders_bill_city, orders_bill_country,
       orders_shipping, orders_payment, orders_payment_ref, orders_payment_days, orders_card_brand, orders_card_holder, orders_card_number,
       orders_currency, orders_currency_rate, orders_status, orders_gift, orders_comment, orders_purchased)
VALUES (:next.last_insert_id, :order.customer_id, COALESCE(NULLIF(:order.email, ''), :customer._email),
       :customer._name, :customer._company, :customer._street, :customer._zip, :customer._city, :customer._country,
       :order.shipping_address.recipient, REPLACE(REPLACE(REPLACE(REPLACE(:order.shipping_address.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       :order.shipping_address.street, :order.shipping_address.postal_code, :order.shipping_address.city, :destination._country,
       COALESCE(:order.billing_address.recipient, :order.shipping_address.recipient),
       REPLACE(REPLACE(REPLACE(REPLACE(COALESCE(:order.billing_address.company, :order.shipping_address.company), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       COALESCE(:order.billing_address.street, :order.shipping_address.street),
       COALESCE(:order.billing_address.postal_code, :order.shipping_address.postal_code),
       COALESCE(:order.billing_address.city, :order.shipping_address.city),
       COALESCE((SELECT k.countries_name FROM countries k WHERE k.countries_iso = CONVERT(:order.billing_address.country_code USING latin1)), :destination._country),
       :order.shipping_method,
       CASE WHEN :order.payment.card.last_four IS NOT NULL THEN 'cc' WHEN :order.payment.bank_transfer.reference IS NOT NULL THEN 'prepay' WHEN :order.payment.invoice.due_days > 0 THEN 'invoice' ELSE 'cod' END,
       COALESCE(:order.payment.bank_transfer.reference, ''), COALESCE(:order.payment.invoice.due_days, 0),
       COALESCE(:order.payment.card.brand, ''), COALESCE(:order.payment.card.holder, ''), COALESCE(CONCAT('xxxxxxxxxxxx', :order.payment.card.last_four), ''),
       :currency._code, :currency._rate, 1, IF(:order.gift, '1', ''), REPLACE(REPLACE(REPLACE(REPLACE(:order.comment, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), NOW());
-- name: subtotal :exec
INSERT INTO orders_total (orders_id, total_class, total_label, total_text, total_value, order_)
SELECT l.orders_id, 'sub', 'Zwischensumme:', CONCAT(c.currencies_left, CONVERT(FORMAT(SUM(l.positions_price * l.positions_quantity), 2, IF(c.currencies_point = ',', 'de_DE', 'en_US')) USING latin1), c.currencies_right), SUM(l.positions_price * l.positions_quantity), 10
  FROM orders_positions l JOIN currencies c ON c.currencies_code = :currency._code
 WHERE l.orders_id = :next.last_insert_id
 GROUP BY l.orders_id, c.currencies_left, c.currencies_right, c.currencies_point;
-- name: shipping :exec
INSERT INTO orders_total (orders_id, total_class, total_label, total_text, total_value, order_)
SELECT :next.last_insert_id, 'ship', 'Versand:', CONCAT(c.currencies_left, CONVERT(FORMAT(v.fee, 2, IF(c.currencies_point = ',', 'de_DE', 'en_US')) USING latin1), c.currencies_right), v.fee, 20
  FROM (SELECT ROUND(CAST(:fee._amount AS DECIMAL(15,4)) * CAST(:currency._rate AS DECIMAL(14,6)), 2) AS fee) v
  JOIN currencies c ON c.currencies_code = :currency._code;
-- name: tax :exec
INSERT INTO orders_total (orders_id, total_class, total_label, total_text, total_value, order_)
SELECT v.orders_id, 'tax', 'enth. MwSt.:', CONCAT(c.currencies_left, CONVERT(FORMAT(v.tax, 2, IF(c.currencies_point = ',', 'de_DE', 'en_US')) USING latin1), c.currencies_right), v.tax, 40
  FROM (SELECT l.orders_id, ROUND(SUM(l.positions_price * l.positions_quantity * l.positions_tax / (100 + l.positions_tax)), 2) AS tax
          FROM orders_positions l WHERE l.orders_id = :next.last_insert_id GROUP BY l.orders_id) v
  JOIN currencies c ON c.currencies_code = :currency._code;
-- name: total :exec
INSERT INTO orders_total (orders_id, total_class, total_label, total_text, total_value, order_)
SELECT v.orders_id, 'total', '<b>Summe:</b>', CONCAT('<b>', CONCAT(c.currencies_left, CONVERT(FORMAT(v.total, 2, IF(c.currencies_point = ',', 'de_DE', 'en_US')) USING latin1), c.currencies_right), '</b>'), v.total, 50
  FROM (SELECT t.orders_id, SUM(t.total_value) AS total FROM orders_total t
         WHERE t.orders_id = :next.last_insert_id AND t.total_class IN ('sub', 'ship') GROUP BY t.orders_id) v
  JOIN currencies c ON c.currencies_code = :currency._code;
-- name: log :exec
INSERT INTO orders_log (orders_id, log_nr, log_status, log_time, log_mailed, log_comment) VALUES (:next.last_insert_id, 1, 1, UNIX_TIMESTAMP(), 0, '');
-- name: reply :call GetOrder id=:next.last_insert_id

-- rpc: shop.v2.OrderService.CancelOrder
-- name: found :one into=-
-- expect: 1 else NOT_FOUND ORDER_NOT_FOUND "there is no order {id}; ListOrders gives those that there are"
SELECT o.orders_id AS _id FROM orders o WHERE o.orders_id = :id FOR UPDATE;
-- name: cancel :exec
-- expect: 1 else FAILED_PRECONDITION NOT_CANCELLABLE "order {id} has left the house, or was cancelled before"
UPDATE orders SET orders_status = 9, orders_changed = NOW() WHERE orders_id = :id AND orders_status IN (1, 2);
-- name: stock :exec
UPDATE products_stock s
  JOIN (SELECT l.positions_sku AS sku, SUM(l.positions_quantity) AS n FROM orders_positions l WHERE l.orders_id = :id GROUP BY l.positions_sku) v
    ON v.sku = s.stock_sku
   SET s.stock_count = s.stock_count + v.n, s.stock_changed = UNIX_TIMESTAMP();
-- name: log :exec
INSERT INTO orders_log (orders_id, log_nr, log_status, log_time, log_mailed, log_comment)
SELECT :id, COALESCE(MAX(h.log_nr), 0) + 1, 9, UNIX_TIMESTAMP(), 0, REPLACE(REPLACE(REPLACE(REPLACE(:reason, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;')
  FROM orders_log h WHERE h.orders_id = :id;
-- name: reply :call GetOrder id=:id
