-- What makes the rows of an order equal the message: lines, totals and history are replaced. Stock follows: what the old
-- rows held is given back and what the new ones hold is taken, so a repetition changes nothing. A cancelled order holds
-- nothing. The card's number is not part of the message and stays, as long as its last digits are the same.

-- put: shop.v2.Order
-- Ids from 1000000000 on are the new order service's, which has a counter of its own.
-- name: counter :exec
UPDATE counters SET counters_value = GREATEST(counters_value, :id) WHERE counters_name = 'orders' AND :id < 1000000000;
-- name: old :opt into=-
SELECT o.orders_id AS _id FROM orders o WHERE o.orders_id = :id FOR UPDATE;
-- name: give :exec
UPDATE products_stock s
  JOIN (SELECT l.positions_sku AS sku, SUM(l.positions_quantity) AS n
          FROM orders o JOIN orders_positions l ON l.orders_id = o.orders_id
         WHERE o.orders_id = :id AND o.orders_status <> 9 GROUP BY l.positions_sku) v ON v.sku = s.stock_sku
   SET s.stock_count = s.stock_count + v.n;
-- name: clear_lines :exec
DELETE FROM orders_positions WHERE orders_id = :id;
-- name: clear_totals :exec
DELETE FROM orders_total WHERE orders_id = :id;
-- name: clear_log :exec
DELETE FROM orders_log WHERE orders_id = :id;
-- name: row :exec
INSERT INTO orders (orders_id, orders_customer, orders_email,
       orders_cust_name, orders_cust_company, orders_cust_street, orders_cust_zip, orders_cust_city, orders_cust_country,
       orders_ship_name, orders_ship_company, orders_ship_street, orders_ship_zip, orders_ship_city, orders_ship_country,
       orders_bill_name, orders_bill_company, orders_bill_street, orders_bill_zip, orders_bill_city, orders_bill_country,
       orders_shipping, orders_payment, orders_payment_ref, orders_payment_days, orders_card_brand, orders_card_holder, orders_card_number,
       orders_currency, orders_currency_rate, orders_status, orders_gift, orders_comment,
       orders_purchased, orders_changed, orders_paid, orders_shipped)
VALUES (:id, :customer_id, :email,
       COALESCE(:customer_address.recipient, ''), COALESCE(REPLACE(REPLACE(REPLACE(REPLACE(:customer_address.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), ''),
       COALESCE(:customer_address.street, ''), COALESCE(:customer_address.postal_code, ''), COALESCE(:customer_address.city, ''),
       COALESCE((SELECT k.countries_name FROM countries k WHERE k.countries_iso = CONVERT(:customer_address.country_code USING latin1)), ''),
       COALESCE(:shipping_address.recipient, ''), COALESCE(REPLACE(REPLACE(REPLACE(REPLACE(:shipping_address.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), ''),
       COALESCE(:shipping_address.street, ''), COALESCE(:shipping_address.postal_code, ''), COALESCE(:shipping_address.city, ''),
       COALESCE((SELECT k.countries_name FROM countries k WHERE k.countries_iso = CONVERT(:shipping_address.country_code USING latin1)), ''),
       COALESCE(:billing_address.recipient, ''), COALESCE(REPLACE(REPLACE(REPLACE(REPLACE(:billing_address.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), ''),
       COALESCE(:billing_address.street, ''), COALESCE(:billing_address.postal_code, ''), COALESCE(:billing_address.city, ''),
       COALESCE((SELECT k.countries_name FROM countries k WHERE k.countries_iso = CONVERT(:billing_address.country_code USING latin1)), ''),
       :shipping_method,
       CASE WHEN :payment.card.last_four IS NOT NULL THEN 'cc' WHEN :payment.bank_transfer.reference IS NOT NULL THEN 'prepay' WHEN :payment.invoice.due_days IS NOT NULL THEN 'invoice' ELSE 'cod' END,
       COALESCE(:payment.bank_transfer.reference, ''), COALESCE(:payment.invoice.due_days, 0),
       COALESCE(:payment.card.brand, ''), COALESCE(:payment.card.holder, ''), COALESCE(CONCAT(IF(CHAR_LENGTH(:payment.card.last_four) = 4, 'xxxxxxxxxxxx', ''), :payment.card.last_four), ''),
       :currency_code, COALESCE(:exchange_rate, 1), :state, IF(:gift, '1', ''), REPLACE(REPLACE(REPLACE(REPLACE(:comment, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       COALESCE(:create_time, '0000-00-00 00:00:00'), COALESCE(:update_time, '0000-00-00 00:00:00'),
       COALESCE(:pay_time, '0000-00-00 00:00:00'), COALESCE(:ship_time, '0000-00-00 00:00:00'))
    ON DUPLICATE KEY UPDATE orders_customer = VALUES(orders_customer), orders_email = VALUES(orders_email), orders_cust_name = VALUES(orders_cust_name),
       orders_cust_company = VALUES(orders_cust_company), orders_cust_street = VALUES(orders_cust_street),
       orders_cust_zip = VALUES(orders_cust_zip), orders_cust_city = VALUES(orders_cust_city),
       orders_cust_country = VALUES(orders_cust_country), orders_ship_name = VALUES(orders_ship_name),
       orders_ship_company = VALUES(orders_ship_company), orders_ship_street = VALUES(orders_ship_street),
       orders_ship_zip = VALUES(orders_ship_zip), orders_ship_city = VALUES(orders_ship_city),
       orders_ship_country = VALUES(orders_ship_country), orders_bill_name = VALUES(orders_bill_name),
       orders_bill_company = VALUES(orders_bill_company), orders_bill_street = VALUES(orders_bill_street),
       orders_bill_zip = VALUES(orders_bill_zip), orders_bill_city = VALUES(orders_bill_city),
       orders_bill_country = VALUES(orders_bill_country), orders_shipping = VALUES(orders_shipping),
       orders_payment = VALUES(orders_payment), orders_payment_ref = VALUES(orders_payment_ref),
       orders_payment_days = VALUES(orders_payment_days), orders_card_brand = VALUES(orders_card_brand),
       orders_card_holder = VALUES(orders_card_holder),
       orders_card_number = IF(RIGHT(orders_card_number, 4) = RIGHT(VALUES(orders_card_number), 4), orders_card_number, VALUES(orders_card_number)),
       orders_currency = VALUES(orders_currency), orders_currency_rate = VALUES(orders_currency_rate),
       orders_status = VALUES(orders_status), orders_gift = VALUES(orders_gift), orders_comment = VALUES(orders_comment),
       orders_purchased = VALUES(orders_purchased), orders_changed = VALUES(orders_changed), orders_paid = VALUES(orders_paid),
       orders_shipped = VALUES(orders_shipped);
-- name: put_lines :exec each=lines as=line
INSERT INTO orders_positions (orders_id, products_id, positions_sku, positions_name, positions_quantity, positions_price, positions_tax)
VALUES (:id, :line.product_id, :line.sku, REPLACE(REPLACE(REPLACE(REPLACE(:line.display_name, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       :line.quantity, COALESCE(:line.unit_price, 0), COALESCE(:line.tax_percent, 0));
-- name: take :exec
UPDATE products_stock s
  JOIN (SELECT l.positions_sku AS sku, SUM(l.positions_quantity) AS n
          FROM orders o JOIN orders_positions l ON l.orders_id = o.orders_id
         WHERE o.orders_id = :id AND o.orders_status <> 9 GROUP BY l.positions_sku) v ON v.sku = s.stock_sku
   SET s.stock_count = s.stock_count - v.n;
-- name: put_totals :exec each=totals as=total
INSERT INTO orders_total (orders_id, total_class, total_label, total_text, total_value, order_)
SELECT :id, :total.kind,
       CASE :total.kind WHEN 'sub' THEN 'Zwischensumme:' WHEN 'ship' THEN 'Versand:' WHEN 'voucher' THEN 'Gutschein:' WHEN 'tax' THEN 'enth. MwSt.:' ELSE '<b>Summe:</b>' END,
       COALESCE((SELECT CONCAT(IF(:total.kind = 'total', '<b>', ''), CONCAT(c.currencies_left, CONVERT(FORMAT(v.amount, 2, IF(c.currencies_point = ',', 'de_DE', 'en_US')) USING latin1), c.currencies_right), IF(:total.kind = 'total', '</b>', '')) FROM currencies c WHERE c.currencies_code = CONVERT(:currency_code USING latin1)), ''),
       v.amount, v.place
  FROM (SELECT CAST(COALESCE(:total.amount, 0) AS DECIMAL(15,4)) AS amount,
               (SELECT COUNT(*) + 1 FROM orders_total t WHERE t.orders_id = :id) * 10 AS place) v;
-- name: sum :opt into=-
-- expect: 0 else INVALID_ARGUMENT TOTALS_DIFFER "grand_total of order {id} is not the grand total among its totals"
SELECT 1 AS _differs FROM DUAL
 WHERE :grand_total IS NOT NULL
   AND NOT CAST(:grand_total AS DECIMAL(15,4)) <=> (SELECT t.total_value FROM orders_total t WHERE t.orders_id = :id AND t.total_class = 'total');
-- name: put_history :exec each=history as=event
INSERT INTO orders_log (orders_id, log_nr, log_status, log_time, log_mailed, log_comment)
SELECT :id, COALESCE(MAX(h.log_nr), 0) + 1, :event.state, COALESCE(FLOOR(UNIX_TIMESTAMP(:event.create_time)), ''), :event.customer_notified,
       REPLACE(REPLACE(REPLACE(REPLACE(:event.note, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;')
  FROM orders_log h WHERE h.orders_id = :id;
