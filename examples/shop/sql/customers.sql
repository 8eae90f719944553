-- Customers: reads.
--
-- The shop escaped HTML before it stored a company's name, so reading takes that back; names of people it stored as
-- they are. An id is a number here, text padded to eight places for points, and plain text for labels.

-- rpc: shop.v2.CustomerService.GetCustomer
-- name: customer :one
-- expect: 1 else NOT_FOUND CUSTOMER_NOT_FOUND "there is no customer {id}; ListCustomers gives those that there are"
SELECT c.customers_id AS id,
       c.customers_login AS email,
       c.customers_title AS salutation,
       c.customers_firstname AS given_name,
       c.customers_lastname AS family_name,
       REPLACE(REPLACE(REPLACE(REPLACE(c.customers_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS company,
       NULLIF(c.customers_phone, '') AS phone,
       DATE(NULLIF(c.customers_birthday, '0000-00-00 00:00:00')) AS birth_date,
       c.customers_group AS "group",
       c.customers_newsletter = 'Y' AS newsletter,
       c.customers_locked AS blocked,
       p.points_balance AS loyalty_points,
       a.addresses_name AS "address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(a.addresses_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "address.company",
       a.addresses_street AS "address.street",
       a.addresses_zip AS "address.postal_code",
       a.addresses_city AS "address.city",
       k.countries_iso AS "address.country_code",
       CAST(NULLIF(c.customers_since, '') AS SIGNED) AS create_time,
       NULLIF(c.customers_changed, '0000-00-00 00:00:00') AS update_time,
       CAST(NULLIF(c.customers_lastlogin, '') AS SIGNED) AS last_login_time
  FROM customers c
  LEFT JOIN customers_points p ON p.points_customer = CONVERT(LPAD(c.customers_id, 8, '0') USING latin1)
  LEFT JOIN customers_addresses a ON a.addresses_id = c.customers_address
  LEFT JOIN countries k ON k.countries_id = a.addresses_country
 WHERE c.customers_id = :id;
-- name: others :many into=other_addresses
SELECT a.addresses_name AS recipient,
       REPLACE(REPLACE(REPLACE(REPLACE(a.addresses_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS company,
       a.addresses_street AS street,
       a.addresses_zip AS postal_code,
       a.addresses_city AS city,
       k.countries_iso AS country_code
  FROM customers_addresses a
  JOIN customers c ON c.customers_id = a.customers_id
  LEFT JOIN countries k ON k.countries_id = a.addresses_country
 WHERE a.customers_id = :id AND a.addresses_id <> c.customers_address
 ORDER BY a.addresses_id;
-- name: labels :many into=labels
SELECT e.`key` AS "key", e.`value` AS "value" FROM customers_extra e WHERE e.customers_id = CAST(:id AS CHAR) COLLATE utf8mb4_unicode_ci;

-- rpc: shop.v2.CustomerService.ListCustomers
-- name: customers :many into=customers
SELECT c.customers_id AS id,
       c.customers_login AS email,
       c.customers_title AS salutation,
       c.customers_firstname AS given_name,
       c.customers_lastname AS family_name,
       REPLACE(REPLACE(REPLACE(REPLACE(c.customers_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS company,
       NULLIF(c.customers_phone, '') AS phone,
       DATE(NULLIF(c.customers_birthday, '0000-00-00 00:00:00')) AS birth_date,
       c.customers_group AS "group",
       c.customers_newsletter = 'Y' AS newsletter,
       c.customers_locked AS blocked,
       p.points_balance AS loyalty_points,
       a.addresses_name AS "address.recipient",
       REPLACE(REPLACE(REPLACE(REPLACE(a.addresses_company, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS "address.company",
       a.addresses_street AS "address.street",
       a.addresses_zip AS "address.postal_code",
       a.addresses_city AS "address.city",
       k.countries_iso AS "address.country_code",
       c.customers_since AS _since,
       CAST(NULLIF(c.customers_since, '') AS SIGNED) AS create_time,
       NULLIF(c.customers_changed, '0000-00-00 00:00:00') AS update_time,
       CAST(NULLIF(c.customers_lastlogin, '') AS SIGNED) AS last_login_time
  FROM customers c
  LEFT JOIN customers_points p ON p.points_customer = CONVERT(LPAD(c.customers_id, 8, '0') USING latin1)
  LEFT JOIN customers_addresses a ON a.addresses_id = c.customers_address
  LEFT JOIN countries k ON k.countries_id = a.addresses_country
 WHERE :page
   AND c.customers_group = :group                              -- ?
   AND c.customers_lastname LIKE CONVERT(:prefix(family_name_prefix) USING latin1)   -- ?
   AND c.customers_login = CONVERT(:email USING latin1)                              -- ?
   AND k.countries_iso = CONVERT(:country_code USING latin1)                         -- ?
   AND c.customers_newsletter = IF(:newsletter, 'Y', 'N')      -- ?
 ORDER BY c.customers_id                                       -- if: order_by == ""
 ORDER BY c.customers_lastname, c.customers_id                 -- if: order_by == "family_name"
 ORDER BY c.customers_since DESC, c.customers_id DESC;         -- if: order_by == "create_time desc"
-- name: labels :many into=customers[id=customers_id].labels
SELECT c.customers_id AS customers_id, e.`key` AS "key", e.`value` AS "value"
  FROM customers c
  JOIN customers_extra e ON e.customers_id = CAST(c.customers_id AS CHAR) COLLATE utf8mb4_unicode_ci
 WHERE c.customers_id IN (:customers.id);
