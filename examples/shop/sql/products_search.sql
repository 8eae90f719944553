-- The catalogue: the search with optional filters and sorts, and reviews.

-- rpc: shop.v2.ProductService.SearchProducts
-- name: language :one into=-
-- expect: 1 else INVALID_ARGUMENT UNKNOWN_LANGUAGE "language_code: the shop has no texts in {language_code}; leave it empty for its own language"
SELECT l.languages_id AS _id FROM languages l
 WHERE TRUE
   AND l.languages_code = CONVERT(:language_code USING latin1) -- ?
   AND l.languages_default = 1           -- if: language_code == ""
;
-- name: currency :opt into=-
-- expect: 0 else INVALID_ARGUMENT OTHER_CURRENCY "min_price, max_price: give them in the shop's own currency, which is that of every product's price"
SELECT f.`value` AS _code FROM configuration f
 WHERE f.`key` = 'SHOP_CURRENCY' AND (FALSE
       OR f.`value` <> CONVERT(:min_price.currency_code USING latin1) -- ?
       OR f.`value` <> CONVERT(:max_price.currency_code USING latin1) -- ?
       );
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
       NULLIF(p.products_changed, '0000-00-00 00:00:00') AS update_time
  FROM products p
  LEFT JOIN products_texts t ON t.products_id = p.products_id AND t.language_id = :language._id
  LEFT JOIN makers m ON m.makers_id = p.products_maker
  LEFT JOIN products_stock s ON s.stock_sku = p.products_sku
 WHERE :page
   AND p.products_removed = '0000-00-00 00:00:00'
   AND t.products_name LIKE REPLACE(REPLACE(REPLACE(REPLACE(CONVERT(:contains(query) USING latin1), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;') -- ?
   AND p.products_sku IN (:skus)                                       -- ?
   AND m.makers_name = CONVERT(:manufacturer USING latin1)                                   -- ?
   AND p.products_id IN (SELECT pc.products_id FROM categories_texts ct JOIN products_categories pc ON pc.categories_id = ct.categories_id WHERE ct.language_id = :language._id AND ct.categories_name = CONVERT(:category USING latin1)) -- ?
   AND p.products_price >= :min_price                                  -- ?
   AND p.products_price <= :max_price                                  -- ?
   AND s.stock_count > 0                                               -- if: in_stock
   AND p.products_featured = IF(:featured, 'Y', 'N')                   -- ?
 ORDER BY p.products_id                             -- if: order_by == ""
 ORDER BY t.products_name, p.products_id            -- if: order_by == "display_name"
 ORDER BY p.products_price, p.products_id           -- if: order_by == "price"
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

-- rpc: shop.v2.ProductService.GetReview
-- name: review :one
-- expect: 1 else NOT_FOUND REVIEW_NOT_FOUND "there is no review {name}; ListReviews gives those that there are"
SELECT CONCAT('products/', r.products_id, '/reviews/', r.reviews_nr) AS name,
       r.reviews_author AS author,
       r.reviews_stars AS rating,
       r.reviews_text AS text,
       r.reviews_verified = 'Y' AS verified,
       CAST(NULLIF(r.reviews_time, '') AS SIGNED) AS create_time
  FROM products_reviews r
 WHERE r.products_id = CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(:name, '/', 2), '/', -1) AS SIGNED)
   AND r.reviews_nr = CAST(SUBSTRING_INDEX(:name, '/', -1) AS SIGNED)
   AND CONCAT('products/', r.products_id, '/reviews/', r.reviews_nr) = :name;

-- rpc: shop.v2.ProductService.ListReviews
-- name: reviews :many into=reviews
SELECT CONCAT('products/', r.products_id, '/reviews/', r.reviews_nr) AS name,
       r.reviews_author AS author,
       r.reviews_stars AS rating,
       r.reviews_text AS text,
       r.reviews_verified = 'Y' AS verified,
       CAST(NULLIF(r.reviews_time, '') AS SIGNED) AS create_time,
       r.products_id AS _product,
       r.reviews_nr AS _nr
  FROM products_reviews r
 WHERE :page
   AND r.products_id = CAST(SUBSTRING_INDEX(:parent, '/', -1) AS SIGNED) -- if: parent != "products/-"
   AND r.reviews_stars >= :min_rating                                    -- ?
 ORDER BY r.products_id, r.reviews_nr;
