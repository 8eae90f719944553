-- How the old shop answers shop.v2.
# another kind of comment
/* and
   -- name: nothing, in a comment */
-- enum: shop.v2.OrderStatus PENDING=1 PROCESSING=-2 SHIPPED='S' ODD='it''s; here'

-- rpc: shop.v2.OrderService.ListOrders
-- name: orders :many into=orders
SELECT o.orders_id AS id, o.customers_name AS "customer.display_name",  -- the copy in the order
       o.date_purchased AS create_time, ':no_param' AS _x, "a ? b" AS _y /* :none */ , `a:b`
  FROM orders o
 WHERE :page
   AND o.customers_id = :customer_id          -- ?
   AND o.date_purchased >= :created_after     -- ?
   AND o.customers_name LIKE :prefix( name )  -- ?
   AND (@n := @n + 1) > 0

   -- prose between
 ORDER BY o.orders_id                             -- if: order_by == ""
 ORDER BY o.date_purchased DESC, o.orders_id DESC -- if: order_by == "create_time desc"
;
-- name: lines :many into=orders[id=orders_id].lines
SELECT /*+ MAX_EXECUTION_TIME(100) */ l.orders_id, l.products_model AS sku FROM orders_products l WHERE l.orders_id IN (:orders.id); -- done

-- rpc: shop.v2.OrderService.PlaceOrder
-- name: next :exec
UPDATE counters SET v = LAST_INSERT_ID(v + 1) WHERE name = 'orders';
-- name: stock :exec each=order.lines as=line
-- expect: >= 1 else FAILED_PRECONDITION OUT_OF_STOCK "{line.sku}: {{too}} \"few\" left"
UPDATE products SET qty = qty - :line.quantity WHERE model = :line.sku AND qty >= :line.quantity;
-- name: note :exec
INSERT INTO notes (text) VALUES ('two
-- lines: here
;');
-- name: reply :call GetOrder id=:next.last_insert_id view.full=:order.full

-- rpc: shop.v2.OrderService.NextId
-- name: next :exec
UPDATE counters SET v = LAST_INSERT_ID(v + 1);
-- name: out :reply id=:next.last_insert_id

-- put: shop.v2.Order
-- name: cur :opt into=-
SELECT o.id FROM orders o WHERE o.id = :id FOR UPDATE;
-- name: lines :exec each=lines as=line
INSERT INTO orders_products (orders_id, sku) VALUES (:id, :line.sku);
