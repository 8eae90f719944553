-- The catalogue: reads. Texts are stored by language with HTML escaped; prices are in the shop's own currency, which is
-- a row of the configuration; stock is kept by article number.

-- rpc: shop.v2.ProductService.GetProduct
-- name: language :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_LANGUAGE "language_code: the shop has no texts in {language_code}; leave it empty for its own language"
SELECT l.languages_id AS _id FROM languages l
 WHERE TRUE
   AND l.languages_code = CONVERT(:language_code USING latin1) -- ?
   AND l.languages_default = 1           -- if: language_code == ""
;
-- name: product :one
-- expect: 1 else NOT_FOUND PRODUCT_NOT_FOUND "there is no product {id}; ListProducts gives those that there are"
SELECT p.products_id AS id,
       p.products_sku AS sku,
       REPLACE(REPLACE(REPLACE(REPLACE(t.products_name, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS display_name,
       REPLACE(REPLACE(REPLACE(REPLACE(t.products_description, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS description,
       p.products_price AS price,
       (SELECT f.`value` FROM configuration f WHERE f.`key` = 'SHOP_CURRENCY') AS "price.currency_code",
       m.makers_name AS manufacturer,
       NULLIF(p.products_weight, 0) AS weight_kg,
       COALESCE(s.stock_count, 0) AS available_quantity,
       p.products_active = 'J' AS buyable,
       p.products_featured = 'Y' AS featured,
       p.products_download <> 0 AS digital,
       p.products_image_md5 AS image_digest,
       DATE(NULLIF(p.products_available, '0000-00-00 00:00:00')) AS available_date,
       NULLIF(p.products_added, '0000-00-00 00:00:00') AS create_time,
       NULLIF(p.products_changed, '0000-00-00 00:00:00') AS update_time,
       NULLIF(p.products_removed, '0000-00-00 00:00:00') AS delete_time
  FROM products p
  LEFT JOIN products_texts t ON t.products_id = p.products_id AND t.language_id = :language._id
  LEFT JOIN makers m ON m.makers_id = p.products_maker
  LEFT JOIN products_stock s ON s.stock_sku = p.products_sku
 WHERE p.products_id = :id;
-- name: categories :many into=categories
SELECT ct.categories_name AS categories
  FROM products_categories pc
  JOIN categories c ON c.categories_id = pc.categories_id
  JOIN categories_texts ct ON ct.categories_id = c.categories_id AND ct.language_id = :language._id
 WHERE pc.products_id = :id AND c.categories_visible = 1
 ORDER BY c.order_, c.categories_id;
-- name: attributes :many into=attributes
SELECT a.`key` AS "key", a.`value` AS "value" FROM products_attributes a WHERE a.products_id = :id ORDER BY a.order_;

-- rpc: shop.v2.ProductService.ListProducts
-- name: language :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_LANGUAGE "language_code: the shop has no texts in {language_code}; leave it empty for its own language"
SELECT l.languages_id AS _id FROM languages l
 WHERE TRUE
   AND l.languages_code = CONVERT(:language_code USING latin1) -- ?
   AND l.languages_default = 1           -- if: language_code == ""
;
-- name: products :many into=products
SELECT p.products_id AS id,
       p.products_sku AS sku,
       t.products_name AS _name,
       REPLACE(REPLACE(REPLACE(REPLACE(t.products_name, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS display_name,
       REPLACE(REPLACE(REPLACE(REPLACE(t.products_description, '&quot;', '"'), '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS description,
       p.products_price AS price,
       (SELECT f.`value` FROM configuration f WHERE f.`key` = 'SHOP_CURRENCY') AS "price.currency_code",
       m.makers_name AS manufacturer,
       NULLIF(p.products_weight, 0) AS weight_kg,
       COALESCE(s.stock_count, 0) AS available_quantity,
       p.products_active = 'J' AS buyable,
       p.products_featured = 'Y' AS featured,
       p.products_download <> 0 AS digital,
       p.products_image_md5 AS image_digest,
       DATE(NULLIF(p.products_available, '0000-00-00 00:00:00')) AS available_date,
       p.products_added AS _added,
       NULLIF(p.products_added, '0000-00-00 00:00:00') AS create_time,
       NULLIF(p.products_changed, '0000-00-00 00:00:00') AS update_time,
       NULLIF(p.products_removed, '0000-00-00 00:00:00') AS delete_time
  FROM products p
  LEFT JOIN products_texts t ON t.products_id = p.products_id AND t.language_id = :language._id
  LEFT JOIN makers m ON m.makers_id = p.products_maker
  LEFT JOIN products_stock s ON s.stock_sku = p.products_sku
 WHERE :page
   AND p.products_removed = '0000-00-00 00:00:00'  -- if: !show_deleted
 ORDER BY p.products_id                            -- if: order_by == ""
 ORDER BY t.products_name, p.products_id           -- if: order_by == "display_name"
 ORDER BY p.products_price, p.products_id          -- if: order_by == "price"
 ORDER BY p.products_price DESC, p.products_id DESC -- if: order_by == "price desc"
 ORDER BY p.products_added DESC, p.products_id DESC -- if: order_by == "create_time desc"
;
-- name: categories :many into=products[id=products_id].categories
SELECT pc.products_id AS products_id, ct.categories_name AS categories
  FROM products_categories pc
  JOIN categories c ON c.categories_id = pc.categories_id
  JOIN categories_texts ct ON ct.categories_id = c.categories_id AND ct.language_id = :language._id
 WHERE pc.products_id IN (:products.id) AND c.categories_visible = 1
 ORDER BY pc.products_id, c.order_, c.categories_id;
-- name: attributes :many into=products[id=products_id].attributes
SELECT a.products_id AS products_id, a.`key` AS "key", a.`value` AS "value"
  FROM products_attributes a WHERE a.products_id IN (:products.id) ORDER BY a.products_id, a.order_;
