-- The catalogue: writes. Most of its tables are MyISAM and know no rollback: what can fail stands first, stock (InnoDB)
-- next, and MyISAM last.

-- rpc: shop.v2.ProductService.UpdateProduct
-- name: language :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_LANGUAGE "language_code: the shop has no texts in {language_code}; leave it empty for its own language"
SELECT l.languages_id AS _id FROM languages l
 WHERE TRUE
   AND l.languages_code = CONVERT(:language_code USING latin1) -- ?
   AND l.languages_default = 1           -- if: language_code == ""
;
-- name: current :one into=-
-- expect: 1 else NOT_FOUND PRODUCT_NOT_FOUND "there is no product {product.id}; ListProducts gives those that there are"
SELECT p.products_sku AS _sku FROM products p WHERE p.products_id = :product.id;
-- name: currency :opt into=-
-- expect: 0 else INVALID_ARGUMENT OTHER_CURRENCY "product.price: give it in the shop's own currency, which is that of every product's price"
SELECT f.`value` AS _code FROM configuration f
 WHERE f.`key` = 'SHOP_CURRENCY' AND (FALSE
       OR f.`value` <> CONVERT(:product.price.currency_code USING latin1) -- ?
       );
-- name: maker :opt into=-
-- expect: 0 else INVALID_ARGUMENT UNKNOWN_MANUFACTURER "product.manufacturer: the shop knows no {product.manufacturer}"
SELECT 1 AS _unknown FROM DUAL WHERE FALSE
    OR CONVERT(:product.manufacturer USING latin1) NOT IN (SELECT m.makers_name FROM makers m) -- ?
;
-- name: stock :exec
UPDATE products_stock SET stock_sku = stock_sku
     , stock_count = :product.available_quantity, stock_changed = UNIX_TIMESTAMP() -- ?
 WHERE stock_sku = :current._sku;
-- name: text :exec
UPDATE products_texts SET products_id = products_id
     , products_name = REPLACE(REPLACE(REPLACE(REPLACE(:product.display_name, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;') -- ?
     , products_description = REPLACE(REPLACE(REPLACE(REPLACE(:product.description, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;') -- ?
 WHERE products_id = :product.id AND language_id = :language._id;
-- name: row :exec
UPDATE products SET products_changed = NOW()
     , products_price = :product.price                                         -- ?
     , products_maker = COALESCE((SELECT m.makers_id FROM makers m WHERE m.makers_name = :product.manufacturer LIMIT 1), 0) -- ?
     , products_weight = COALESCE(:product.weight_kg, 0)                       -- ?
     , products_active = IF(:product.buyable, 'J', 'N')                        -- ?
     , products_featured = IF(:product.featured, 'Y', 'N')                     -- ?
     , products_download = :product.digital                                    -- ?
     , products_image_md5 = NULLIF(CAST(:product.image_digest AS BINARY), '')                -- ?
     , products_available = COALESCE(:product.available_date, '0000-00-00')    -- ?
 WHERE products_id = :product.id;
-- name: reply :call GetProduct id=:product.id language_code=:language_code

-- A soft delete that cascades by hand: no foreign key does it.

-- rpc: shop.v2.ProductService.DeleteProduct
-- name: product :one into=-
-- expect: 1 else NOT_FOUND PRODUCT_NOT_FOUND "there is no product {id}, or it was deleted before"
SELECT p.products_sku AS _sku FROM products p WHERE p.products_id = :id AND p.products_removed = '0000-00-00 00:00:00';
-- name: waiting :opt into=-
-- expect: 0 else FAILED_PRECONDITION PRODUCT_ON_ORDER "product {id} waits to be delivered in an order; ship or cancel its orders first"
SELECT o.orders_id AS _id FROM orders_positions l JOIN orders o ON o.orders_id = l.orders_id
 WHERE l.positions_sku = :product._sku AND o.orders_status IN (1, 2) LIMIT 1;
-- name: stock :exec
DELETE FROM products_stock WHERE stock_sku = :product._sku;
-- name: categories :exec
DELETE FROM products_categories WHERE products_id = :id;
-- name: row :exec
UPDATE products SET products_removed = NOW(), products_changed = NOW(), products_active = 'N', products_featured = 'N' WHERE products_id = :id;
-- name: reply :call GetProduct id=:id

-- rpc: shop.v2.ProductService.UndeleteProduct
-- name: product :one into=-
-- expect: 1 else FAILED_PRECONDITION PRODUCT_NOT_DELETED "there is no deleted product {id}"
SELECT p.products_sku AS _sku FROM products p WHERE p.products_id = :id AND p.products_removed <> '0000-00-00 00:00:00';
-- name: stock :exec
INSERT INTO products_stock (stock_sku, stock_count, stock_changed) VALUES (:product._sku, 0, UNIX_TIMESTAMP())
    ON DUPLICATE KEY UPDATE stock_changed = stock_changed;
-- name: row :exec
UPDATE products SET products_removed = '0000-00-00 00:00:00', products_changed = NOW() WHERE products_id = :id;
-- name: reply :call GetProduct id=:id
