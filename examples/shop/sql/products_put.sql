-- What makes the rows of a product equal the message, with its texts in the shop's own language. Texts in other
-- languages stay. Attributes keep the group and place that the shop gave them.

-- put: shop.v2.Product
-- name: taken :opt into=-
-- expect: 0 else ALREADY_EXISTS SKU_TAKEN "another product than {id} has the article number {sku}"
SELECT p.products_id AS _id FROM products p WHERE p.products_sku = CONVERT(:sku USING latin1) AND p.products_id <> :id;
-- name: language :one into=-
SELECT l.languages_id AS _id FROM languages l WHERE l.languages_default = 1;
-- name: old :opt into=-
SELECT p.products_sku AS _sku FROM products p WHERE p.products_id = :id;
-- name: renumber :exec
DELETE FROM products_stock WHERE stock_sku = :old._sku AND stock_sku <> :sku;
-- name: stock :exec
INSERT INTO products_stock (stock_sku, stock_count, stock_changed)
SELECT :sku, :available_quantity, UNIX_TIMESTAMP() FROM DUAL WHERE :delete_time IS NULL
    ON DUPLICATE KEY UPDATE stock_count = VALUES(stock_count);
-- name: unstock :exec
DELETE FROM products_stock WHERE stock_sku = :sku AND :delete_time IS NOT NULL;
-- name: maker :exec
INSERT INTO makers (makers_name)
SELECT :manufacturer FROM DUAL WHERE :manufacturer IS NOT NULL AND NOT EXISTS (SELECT 1 FROM makers m WHERE m.makers_name = CONVERT(:manufacturer USING latin1));
-- name: text :exec
INSERT INTO products_texts (products_id, language_id, products_name, products_description)
VALUES (:id, :language._id,
       REPLACE(REPLACE(REPLACE(REPLACE(:display_name, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
       REPLACE(REPLACE(REPLACE(REPLACE(:description, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'))
    ON DUPLICATE KEY UPDATE products_name = VALUES(products_name), products_description = VALUES(products_description);
-- name: uncategorise :exec
DELETE FROM products_categories WHERE products_id = :id;
-- name: recategorise :exec each=categories as=category
INSERT INTO products_categories (products_id, categories_id)
SELECT :id, ct.categories_id FROM categories_texts ct WHERE ct.language_id = :language._id AND ct.categories_name = CONVERT(:category USING latin1) LIMIT 1;
-- name: gone :exec
DELETE FROM products_attributes
 WHERE products_id = :id AND JSON_EXTRACT(:json(attributes), CONCAT('$.', JSON_QUOTE(`key`))) IS NULL;
-- name: changed :exec each=attributes as=attribute
UPDATE products_attributes SET `value` = :attribute.value WHERE products_id = :id AND `key` = :attribute.key;
-- name: added :exec each=attributes as=attribute
INSERT INTO products_attributes (products_id, `group`, `key`, `value`)
SELECT :id, 'main', :attribute.key, :attribute.value FROM DUAL
 WHERE NOT EXISTS (SELECT 1 FROM products_attributes a WHERE a.products_id = :id AND a.`key` = :attribute.key);
-- name: row :exec
INSERT INTO products (products_id, products_sku, products_maker, products_price, products_weight, products_active, products_featured,
       products_download, products_image_md5, products_available, products_added, products_changed, products_removed)
VALUES (:id, :sku, COALESCE((SELECT m.makers_id FROM makers m WHERE m.makers_name = CONVERT(:manufacturer USING latin1) LIMIT 1), 0), :price, COALESCE(:weight_kg, 0),
       IF(:buyable, 'J', 'N'), IF(:featured, 'Y', 'N'), :digital, NULLIF(CAST(:image_digest AS BINARY), ''), COALESCE(:available_date, '0000-00-00'),
       COALESCE(:create_time, '0000-00-00 00:00:00'), COALESCE(:update_time, '0000-00-00 00:00:00'), COALESCE(:delete_time, '0000-00-00 00:00:00'))
    ON DUPLICATE KEY UPDATE products_sku = VALUES(products_sku), products_maker = VALUES(products_maker), products_price = VALUES(products_price),
       products_weight = VALUES(products_weight), products_active = VALUES(products_active), products_featured = VALUES(products_featured),
       products_download = VALUES(products_download), products_image_md5 = VALUES(products_image_md5),
       products_available = VALUES(products_available), products_added = VALUES(products_added),
       products_changed = VALUES(products_changed), products_removed = VALUES(products_removed);
