-- What makes the rows of a customer equal the message. The password is not part of it and stays. Labels keep the group
-- and place that the shop gave them.

-- put: shop.v2.Customer
-- name: taken :opt into=-
-- expect: 0 else ALREADY_EXISTS EMAIL_TAKEN "another customer than {id} has the address {email}"
SELECT customers_id AS _id FROM customers WHERE customers_login = CONVERT(:email USING latin1) AND customers_id <> :id FOR UPDATE;
-- name: counter :exec
UPDATE counters SET counters_value = GREATEST(counters_value, :id) WHERE counters_name = 'customers';
-- name: clear :exec
DELETE FROM customers_addresses WHERE customers_id = :id;
-- name: home :exec
INSERT INTO customers_addresses (customers_id, addresses_name, addresses_company, addresses_street, addresses_zip, addresses_city, addresses_country)
SELECT :id, :address.recipient,
       REPLACE(REPLACE(REPLACE(REPLACE(:address.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       :address.street, :address.postal_code, :address.city,
       COALESCE((SELECT k.countries_id FROM countries k WHERE k.countries_iso = CONVERT(:address.country_code USING latin1)), 0)
  FROM DUAL WHERE :address.recipient IS NOT NULL;
-- name: others :exec each=other_addresses as=other
INSERT INTO customers_addresses (customers_id, addresses_name, addresses_company, addresses_street, addresses_zip, addresses_city, addresses_country)
VALUES (:id, :other.recipient,
       REPLACE(REPLACE(REPLACE(REPLACE(:other.company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       :other.street, :other.postal_code, :other.city,
       COALESCE((SELECT k.countries_id FROM countries k WHERE k.countries_iso = CONVERT(:other.country_code USING latin1)), 0));
-- name: row :exec
INSERT INTO customers (customers_id, customers_login, customers_password, customers_title, customers_firstname, customers_lastname,
       customers_company, customers_phone, customers_birthday, customers_group, customers_newsletter, customers_locked,
       customers_address, customers_since, customers_changed, customers_lastlogin)
VALUES (:id, :email, '!', :salutation, :given_name, :family_name,
       REPLACE(REPLACE(REPLACE(REPLACE(:company, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       COALESCE(:phone, ''), COALESCE(:birth_date, '0000-00-00'), :group, IF(:newsletter, 'Y', 'N'), :blocked,
       :home.last_insert_id, COALESCE(FLOOR(UNIX_TIMESTAMP(:create_time)), ''), COALESCE(:update_time, '0000-00-00 00:00:00'),
       COALESCE(FLOOR(UNIX_TIMESTAMP(:last_login_time)), ''))
    ON DUPLICATE KEY UPDATE customers_login = VALUES(customers_login), customers_title = VALUES(customers_title),
       customers_firstname = VALUES(customers_firstname), customers_lastname = VALUES(customers_lastname),
       customers_company = VALUES(customers_company), customers_phone = VALUES(customers_phone),
       customers_birthday = VALUES(customers_birthday), customers_group = VALUES(customers_group),
       customers_newsletter = VALUES(customers_newsletter), customers_locked = VALUES(customers_locked),
       customers_address = VALUES(customers_address), customers_since = VALUES(customers_since),
       customers_changed = VALUES(customers_changed), customers_lastlogin = VALUES(customers_lastlogin);
-- name: left :exec
DELETE FROM customers_points WHERE points_customer = LPAD(:id, 8, '0') AND :loyalty_points IS NULL;
-- name: points :exec
INSERT INTO customers_points (points_customer, points_balance, points_changed)
SELECT LPAD(:id, 8, '0'), :loyalty_points, UNIX_TIMESTAMP() FROM DUAL WHERE :loyalty_points IS NOT NULL
    ON DUPLICATE KEY UPDATE points_balance = VALUES(points_balance);
-- name: gone :exec
DELETE FROM customers_extra
 WHERE customers_id = CAST(:id AS CHAR) COLLATE utf8mb4_unicode_ci AND JSON_EXTRACT(:json(labels), CONCAT('$.', JSON_QUOTE(`key`))) IS NULL;
-- name: changed :exec each=labels as=label
UPDATE customers_extra SET `value` = :label.value WHERE customers_id = CAST(:id AS CHAR) COLLATE utf8mb4_unicode_ci AND `key` = :label.key;
-- name: added :exec each=labels as=label
INSERT INTO customers_extra (customers_id, `group`, `key`, `value`)
SELECT :id, 'label', :label.key, :label.value FROM DUAL
 WHERE NOT EXISTS (SELECT 1 FROM customers_extra e WHERE e.customers_id = CAST(:id AS CHAR) COLLATE utf8mb4_unicode_ci AND e.`key` = :label.key);
