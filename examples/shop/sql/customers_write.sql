-- Customers: writes. Ids come from the counter table. A password is set by the shop's own mail to the new customer;
-- until then the hash is one that no password has.

-- rpc: shop.v2.CustomerService.CreateCustomer
-- name: taken :opt into=-
-- expect: 0 else ALREADY_EXISTS EMAIL_TAKEN "there is an account with {customer.email} already; update that one, or use another address"
SELECT customers_id AS _id FROM customers WHERE customers_login = CONVERT(:customer.email USING latin1) FOR UPDATE;
-- name: country :opt into=-
-- expect: 0 else INVALID_ARGUMENT UNKNOWN_COUNTRY "address.country_code: {customer.address.country_code} is no country that the shop delivers to"
SELECT 1 AS _unknown FROM DUAL
 WHERE :customer.address.country_code IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM countries k WHERE k.countries_iso = CONVERT(:customer.address.country_code USING latin1));
-- name: next :exec
UPDATE counters SET counters_value = LAST_INSERT_ID(counters_value + 1) WHERE counters_name = 'customers';
-- name: home :exec
INSERT INTO customers_addresses (customers_id, addresses_name, addresses_company, addresses_street, addresses_zip, addresses_city, addresses_country)
SELECT :next.last_insert_id, :customer.address.recipient,
       REPLACE(REPLACE(REPLACE(REPLACE(:customer.address.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       :customer.address.street, :customer.address.postal_code, :customer.address.city, k.countries_id
  FROM countries k WHERE k.countries_iso = CONVERT(:customer.address.country_code USING latin1);
-- name: others :exec each=customer.other_addresses as=other
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_COUNTRY "other_addresses: {other.country_code} is no country that the shop delivers to"
INSERT INTO customers_addresses (customers_id, addresses_name, addresses_company, addresses_street, addresses_zip, addresses_city, addresses_country)
SELECT :next.last_insert_id, :other.recipient,
       REPLACE(REPLACE(REPLACE(REPLACE(:other.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       :other.street, :other.postal_code, :other.city, k.countries_id
  FROM countries k WHERE k.countries_iso = CONVERT(:other.country_code USING latin1);
-- name: insert :exec
INSERT INTO customers (customers_id, customers_login, customers_password, customers_title, customers_firstname, customers_lastname,
       customers_company, customers_phone, customers_birthday, customers_group, customers_newsletter, customers_locked, customers_address, customers_since)
VALUES (:next.last_insert_id, :customer.email, '!', COALESCE(:customer.salutation, ''), :customer.given_name, :customer.family_name,
       REPLACE(REPLACE(REPLACE(REPLACE(:customer.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       COALESCE(:customer.phone, ''), COALESCE(:customer.birth_date, '0000-00-00'),
       0
       + :customer.group -- ?
       , IF(:customer.newsletter, 'Y', 'N'), :customer.blocked, :home.last_insert_id, UNIX_TIMESTAMP());
-- name: points :exec
INSERT INTO customers_points (points_customer, points_balance, points_changed)
SELECT LPAD(:next.last_insert_id, 8, '0'), :customer.loyalty_points, UNIX_TIMESTAMP() FROM DUAL WHERE :customer.loyalty_points IS NOT NULL;
-- name: labels :exec each=customer.labels as=label
INSERT INTO customers_extra (customers_id, `group`, `key`, `value`) VALUES (:next.last_insert_id, 'label', :label.key, :label.value);
-- name: reply :call GetCustomer id=:next.last_insert_id

-- rpc: shop.v2.CustomerService.UpdateCustomer
-- name: row :exec
-- expect: 1 else NOT_FOUND CUSTOMER_NOT_FOUND "there is no customer {customer.id}; ListCustomers gives those that there are"
UPDATE customers SET customers_changed = NOW()
     , customers_login = :customer.email                                -- ?
     , customers_title = :customer.salutation                           -- ?
     , customers_firstname = :customer.given_name                       -- ?
     , customers_lastname = :customer.family_name                       -- ?
     , customers_company = REPLACE(REPLACE(REPLACE(REPLACE(:customer.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;') -- ?
     , customers_phone = COALESCE(:customer.phone, '')                  -- ?
     , customers_birthday = COALESCE(:customer.birth_date, '0000-00-00') -- ?
     , customers_group = :customer.group                                -- ?
     , customers_newsletter = IF(:customer.newsletter, 'Y', 'N')        -- ?
     , customers_locked = :customer.blocked                             -- ?
 WHERE customers_id = :customer.id;
-- name: country :opt into=-
-- expect: 0 else INVALID_ARGUMENT UNKNOWN_COUNTRY "address.country_code: {customer.address.country_code} is no country that the shop delivers to"
SELECT 1 AS _unknown FROM DUAL WHERE FALSE
    OR CONVERT(:customer.address.country_code USING latin1) NOT IN (SELECT k.countries_iso FROM countries k) -- ?
;
-- A customer without an address gets a row for it first.
-- name: first :exec
INSERT INTO customers_addresses (customers_id)
SELECT c.customers_id FROM customers c
 WHERE c.customers_id = :customer.id AND c.customers_address = 0
   AND FALSE -- if: !has(request.customer.address) || size(update_mask.paths) > 0 && !update_mask.paths.exists(p, p == "*" || p.startsWith("address"))
;
-- name: adopt :exec
UPDATE customers SET customers_address = :first.last_insert_id
 WHERE customers_id = :customer.id AND customers_address = 0 AND :first.last_insert_id > 0;
-- name: home :exec
UPDATE customers_addresses a JOIN customers c ON c.customers_address = a.addresses_id
   SET a.customers_id = c.customers_id
     , a.addresses_name = :customer.address.recipient                   -- ?
     , a.addresses_company = REPLACE(REPLACE(REPLACE(REPLACE(:customer.address.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;') -- ?
     , a.addresses_street = :customer.address.street                    -- ?
     , a.addresses_zip = :customer.address.postal_code                  -- ?
     , a.addresses_city = :customer.address.city                        -- ?
     , a.addresses_country = COALESCE((SELECT k.countries_id FROM countries k WHERE k.countries_iso = :customer.address.country_code), 0) -- ?
 WHERE c.customers_id = :customer.id;
-- name: reply :call GetCustomer id=:customer.id

-- rpc: shop.v2.CustomerService.BlockCustomer
-- name: block :exec
-- expect: 1 else NOT_FOUND CUSTOMER_NOT_FOUND "there is no customer {id}; ListCustomers gives those that there are"
UPDATE customers SET customers_locked = 1 WHERE customers_id = :id;
