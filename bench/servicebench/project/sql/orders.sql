-- event: orders.v1.Order id=id on=orders(id),order_lines(order_id),line_notes(line_id>order_lines.id) via=orders.v1.OrderService.GetOrder

-- rpc: orders.v1.OrderService.GetOrder
-- name: order :one
SELECT id, customer_id, reference, status, total, placed_at AS place_time, note FROM orders WHERE id = :id;
-- name: lines :many into=lines
SELECT l.id, l.sku, l.quantity, l.price, l.text, n.note AS gift_note
  FROM order_lines l LEFT JOIN line_notes n ON n.line_id = l.id
 WHERE l.order_id = :id
 ORDER BY l.id;
