-- Orders: the search. What is sorted by worth is compared in the shop's own currency, at each order's own rate.

-- rpc: shop.v2.OrderService.SearchOrders
-- name: currency :opt into=-
-- expect: 0 else INVALID_ARGUMENT CURRENCY_MISSING "min_total.currency_code: say which currency the amount is in, such as EUR"
SELECT 1 AS _missing FROM DUAL WHERE :min_total.currency_code = '';
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
       ROUND(COALESCE(g.total_value, 0) / o.orders_currency_rate, 4) AS _worth,
       NULLIF(o.orders_purchased, '0000-00-00 00:00:00') AS create_time,
       NULLIF(o.orders_changed, '0000-00-00 00:00:00') AS update_time,
       NULLIF(o.orders_paid, '0000-00-00 00:00:00') AS pay_time,
       NULLIF(o.orders_shipped, '0000-00-00 00:00:00') AS ship_time
  FROM orders o
  LEFT JOIN orders_total g ON g.orders_id = o.orders_id AND g.total_class = 'total'
 WHERE :page
   AND (o.orders_ship_name LIKE CONVERT(:prefix(recipient_prefix) USING latin1) OR o.orders_cust_name LIKE CONVERT(:prefix(recipient_prefix) USING latin1) OR o.orders_bill_name LIKE CONVERT(:prefix(recipient_prefix) USING latin1)) -- ?
   AND o.orders_email = CONVERT(:email USING latin1)                           -- ?
   AND o.orders_ship_zip LIKE CONVERT(:prefix(postal_code_prefix) USING latin1) -- ?
   AND EXISTS (SELECT 1 FROM countries x WHERE x.countries_iso = CONVERT(:country_code USING latin1) AND o.orders_ship_country IN (x.countries_name, NULLIF(x.countries_oldname, ''))) -- ?
   AND o.orders_status IN (:states)                      -- ?
   AND o.orders_id IN (SELECT l.orders_id FROM orders_positions l WHERE l.positions_sku = CONVERT(:sku USING latin1)) -- ?
   AND (g.total_value >= :min_total AND o.orders_currency = :min_total.currency_code) -- ?
   AND o.orders_purchased >= :created_after              -- ?
   AND o.orders_purchased < :created_before              -- ?
   AND (o.orders_gift = '1') = :gift                     -- ?
   AND o.orders_comment LIKE REPLACE(REPLACE(REPLACE(REPLACE(CONVERT(:contains(comment_contains) USING latin1), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;') -- ?
 ORDER BY o.orders_purchased DESC, o.orders_id DESC      -- if: order_by == "" || order_by == "create_time desc"
 ORDER BY o.orders_purchased, o.orders_id                -- if: order_by == "create_time"
 ORDER BY _worth DESC, o.orders_id DESC                  -- if: order_by == "grand_total desc"
;
