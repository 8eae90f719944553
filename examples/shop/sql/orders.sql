-- Orders: reads. An order row copies three addresses with the country as text, as it was called then; a name that has
-- changed since is found by the old one. The card's number is never read, but for its last four digits.

-- event: shop.v2.Order id=orders_id on=orders(orders_id),orders_positions(orders_id),orders_total(orders_id),orders_log(orders_id) via=shop.v2.OrderService.GetOrder

-- rpc: shop.v2.OrderService.GetOrder
-- name: row :one
-- expect: 1 else NOT_FOUND ORDER_NOT_FOUND "there is no order {id}; ListOrders gives those that there are"
SELECT o.orders_id AS id,
       o.orders_customer AS customer_id,
       o.orders_email AS email,
       o.orders_status AS state,
       o.orders_cust_name AS "customer_address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_cust_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "customer_address.company",
       o.orders_cust_street AS "customer_address.street",
       o.orders_cust_zip AS "customer_address.postal_code",
       o.orders_cust_city AS "customer_address.city",
       COALESCE((SELECT x.countries_iso FROM countries x WHERE x.countries_name = o.orders_cust_country), (SELECT x.countries_iso FROM countries x WHERE x.countries_oldname = o.orders_cust_country AND x.countries_oldname <> '')) AS "customer_address.country_code",
       o.orders_ship_name AS "shipping_address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_ship_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "shipping_address.company",
       o.orders_ship_street AS "shipping_address.street",
       o.orders_ship_zip AS "shipping_address.postal_code",
       o.orders_ship_city AS "shipping_address.city",
       COALESCE((SELECT x.countries_iso FROM countries x WHERE x.countries_name = o.orders_ship_country), (SELECT x.countries_iso FROM countries x WHERE x.countries_oldname = o.orders_ship_country AND x.countries_oldname <> '')) AS "shipping_address.country_code",
       o.orders_bill_name AS "billing_address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_bill_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "billing_address.company",
       o.orders_bill_street AS "billing_address.street",
       o.orders_bill_zip AS "billing_address.postal_code",
       o.orders_bill_city AS "billing_address.city",
       COALESCE((SELECT x.countries_iso FROM countries x WHERE x.countries_name = o.orders_bill_country), (SELECT x.countries_iso FROM countries x WHERE x.countries_oldname = o.orders_bill_country AND x.countries_oldname <> '')) AS "billing_address.country_code",
       o.orders_shipping AS shipping_method,
       IF(o.orders_payment = 'cc', o.orders_card_brand, NULL) AS "payment.card.brand",
       IF(o.orders_payment = 'cc', o.orders_card_holder, NULL) AS "payment.card.holder",
       IF(o.orders_payment = 'cc', RIGHT(o.orders_card_number, 4), NULL) AS "payment.card.last_four",
       IF(o.orders_payment = 'prepay', o.orders_payment_ref, NULL) AS "payment.bank_transfer.reference",
       IF(o.orders_payment = 'invoice', o.orders_payment_days, NULL) AS "payment.invoice.due_days",
       o.orders_currency AS currency_code,
       o.orders_currency_rate AS exchange_rate,
       g.total_value AS grand_total,
       IF(g.total_value IS NULL, NULL, o.orders_currency) AS "grand_total.currency_code",
       o.orders_gift = '1' AS gift,
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_comment, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS comment,
       NULLIF(o.orders_purchased, '0000-00-00 00:00:00') AS create_time,
       NULLIF(o.orders_changed, '0000-00-00 00:00:00') AS update_time,
       NULLIF(o.orders_paid, '0000-00-00 00:00:00') AS pay_time,
       NULLIF(o.orders_shipped, '0000-00-00 00:00:00') AS ship_time
  FROM orders o
  LEFT JOIN orders_total g ON g.orders_id = o.orders_id AND g.total_class = 'total'
 WHERE o.orders_id = :id;
-- name: lines :many into=lines
SELECT l.positions_sku AS sku,
       CAST(l.products_id AS SIGNED) AS product_id,
       REPLACE(REPLACE(REPLACE(REPLACE(l.positions_name, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS display_name,
       l.positions_quantity AS quantity,
       l.positions_price AS unit_price,
       o.orders_currency AS "unit_price.currency_code",
       l.positions_tax AS tax_percent
  FROM orders_positions l JOIN orders o ON o.orders_id = l.orders_id
 WHERE l.orders_id = :id ORDER BY l.orders_id, l.positions_id;
-- name: totals :many into=totals
SELECT t.total_class AS kind,
       t.total_value AS amount,
       o.orders_currency AS "amount.currency_code"
  FROM orders_total t JOIN orders o ON o.orders_id = t.orders_id
 WHERE t.orders_id = :id ORDER BY t.orders_id, t.order_, t.total_id;
-- name: history :many into=history
SELECT h.log_status AS state,
       CAST(NULLIF(h.log_time, '') AS SIGNED) AS create_time,
       h.log_mailed AS customer_notified,
       REPLACE(REPLACE(REPLACE(REPLACE(h.log_comment, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS note
  FROM orders_log h
 WHERE h.orders_id = :id ORDER BY h.orders_id, h.log_nr;

-- rpc: shop.v2.OrderService.ListOrders
-- name: orders :many into=orders
SELECT o.orders_id AS id,
       o.orders_customer AS customer_id,
       o.orders_email AS email,
       o.orders_status AS state,
       o.orders_cust_name AS "customer_address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_cust_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "customer_address.company",
       o.orders_cust_street AS "customer_address.street",
       o.orders_cust_zip AS "customer_address.postal_code",
       o.orders_cust_city AS "customer_address.city",
       COALESCE((SELECT x.countries_iso FROM countries x WHERE x.countries_name = o.orders_cust_country), (SELECT x.countries_iso FROM countries x WHERE x.countries_oldname = o.orders_cust_country AND x.countries_oldname <> '')) AS "customer_address.country_code",
       o.orders_ship_name AS "shipping_address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_ship_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "shipping_address.company",
       o.orders_ship_street AS "shipping_address.street",
       o.orders_ship_zip AS "shipping_address.postal_code",
       o.orders_ship_city AS "shipping_address.city",
       COALESCE((SELECT x.countries_iso FROM countries x WHERE x.countries_name = o.orders_ship_country), (SELECT x.countries_iso FROM countries x WHERE x.countries_oldname = o.orders_ship_country AND x.countries_oldname <> '')) AS "shipping_address.country_code",
       o.orders_bill_name AS "billing_address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_bill_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "billing_address.company",
       o.orders_bill_street AS "billing_address.street",
       o.orders_bill_zip AS "billing_address.postal_code",
       o.orders_bill_city AS "billing_address.city",
       COALESCE((SELECT x.countries_iso FROM countries x WHERE x.countries_name = o.orders_bill_country), (SELECT x.countries_iso FROM countries x WHERE x.countries_oldname = o.orders_bill_country AND x.countries_oldname <> '')) AS "billing_address.country_code",
       o.orders_shipping AS shipping_method,
       IF(o.orders_payment = 'cc', o.orders_card_brand, NULL) AS "payment.card.brand",
       IF(o.orders_payment = 'cc', o.orders_card_holder, NULL) AS "payment.card.holder",
       IF(o.orders_payment = 'cc', RIGHT(o.orders_card_number, 4), NULL) AS "payment.card.last_four",
       IF(o.orders_payment = 'prepay', o.orders_payment_ref, NULL) AS "payment.bank_transfer.reference",
       IF(o.orders_payment = 'invoice', o.orders_payment_days, NULL) AS "payment.invoice.due_days",
       o.orders_currency AS currency_code,
       o.orders_currency_rate AS exchange_rate,
       g.total_value AS grand_total,
       IF(g.total_value IS NULL, NULL, o.orders_currency) AS "grand_total.currency_code",
       o.orders_gift = '1' AS gift,
       REPLACE(REPLACE(REPLACE(REPLACE(o.orders_comment, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS comment,
       o.orders_purchased AS _purchased,
       NULLIF(o.orders_purchased, '0000-00-00 00:00:00') AS create_time,
       NULLIF(o.orders_changed, '0000-00-00 00:00:00') AS update_time,
       NULLIF(o.orders_paid, '0000-00-00 00:00:00') AS pay_time,
       NULLIF(o.orders_shipped, '0000-00-00 00:00:00') AS ship_time
  FROM orders o
  LEFT JOIN orders_total g ON g.orders_id = o.orders_id AND g.total_class = 'total'
 WHERE :page
   AND o.orders_customer = :customer_id            -- ?
   AND o.orders_status = :state                    -- ?
   AND o.orders_purchased >= :created_after        -- ?
   AND o.orders_purchased < :created_before        -- ?
 ORDER BY o.orders_id                              -- if: order_by == ""
 ORDER BY o.orders_purchased, o.orders_id          -- if: order_by == "create_time"
 ORDER BY o.orders_purchased DESC, o.orders_id DESC -- if: order_by == "create_time desc"
;
-- name: lines :many into=orders[id=orders_id].lines
SELECT l.orders_id AS orders_id,
       l.positions_sku AS sku,
       CAST(l.products_id AS SIGNED) AS product_id,
       REPLACE(REPLACE(REPLACE(REPLACE(l.positions_name, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS display_name,
       l.positions_quantity AS quantity,
       l.positions_price AS unit_price,
       o.orders_currency AS "unit_price.currency_code",
       l.positions_tax AS tax_percent
  FROM orders_positions l JOIN orders o ON o.orders_id = l.orders_id
 WHERE l.orders_id IN (:orders.id) ORDER BY l.orders_id, l.positions_id;
-- name: totals :many into=orders[id=orders_id].totals
SELECT t.orders_id AS orders_id,
       t.total_class AS kind,
       t.total_value AS amount,
       o.orders_currency AS "amount.currency_code"
  FROM orders_total t JOIN orders o ON o.orders_id = t.orders_id
 WHERE t.orders_id IN (:orders.id) ORDER BY t.orders_id, t.order_, t.total_id;
-- name: history :many into=orders[id=orders_id].history
SELECT h.orders_id AS orders_id,
       h.log_status AS state,
       CAST(NULLIF(h.log_time, '') AS SIGNED) AS create_time,
       h.log_mailed AS customer_notified,
       REPLACE(REPLACE(REPLACE(REPLACE(h.log_comment, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS note
  FROM orders_log h
 WHERE h.orders_id IN (:orders.id) ORDER BY h.orders_id, h.log_nr;

-- rpc: shop.v2.OrderService.ListOrderEvents
-- name: found :one into=-
-- expect: 1 else NOT_FOUND ORDER_NOT_FOUND "there is no order {id}; ListOrders gives those that there are"
SELECT o.orders_id AS _id FROM orders o WHERE o.orders_id = :id;
-- name: events :many into=events
SELECT h.log_status AS state,
       CAST(NULLIF(h.log_time, '') AS SIGNED) AS create_time,
       h.log_mailed AS customer_notified,
       REPLACE(REPLACE(REPLACE(REPLACE(h.log_comment, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS note
  FROM orders_log h
 WHERE h.orders_id = :id ORDER BY h.log_nr;

-- rpc: shop.v2.OrderService.StreamOrders
-- name: orders :many
SELECT o.orders_id AS "order.id",
       o.orders_customer AS "order.customer_id",
       o.orders_status AS "order.state",
       g.total_value AS "order.grand_total",
       IF(g.total_value IS NULL, NULL, o.orders_currency) AS "order.grand_total.currency_code",
       COALESCE((SELECT x.countries_iso FROM countries x WHERE x.countries_name = o.orders_ship_country), (SELECT x.countries_iso FROM countries x WHERE x.countries_oldname = o.orders_ship_country AND x.countries_oldname <> '')) AS "order.country_code",
       NULLIF(o.orders_purchased, '0000-00-00 00:00:00') AS "order.create_time",
       NULLIF(o.orders_shipped, '0000-00-00 00:00:00') AS "order.ship_time"
  FROM orders o
  LEFT JOIN orders_total g ON g.orders_id = o.orders_id AND g.total_class = 'total'
 WHERE TRUE
   AND o.orders_purchased >= :created_after -- ?
   AND o.orders_purchased < :created_before -- ?
   AND o.orders_status IN (:states)         -- ?
 ORDER BY o.orders_id;
