-- rpc: bench.v1.ItemService.GetItem
-- name: item :one
SELECT id, name, sku, price, quantity, create_time, active, note FROM items WHERE id = :id;

-- rpc: bench.v1.ItemService.ListItems
-- name: items :many into=items
SELECT id, name, sku, price, quantity, create_time, active, note
  FROM items
 WHERE warehouse_id = :warehouse_id AND :page
 ORDER BY id;

-- rpc: bench.v1.ItemService.CreateItem
-- name: insert :exec
INSERT INTO items (warehouse_id, name, sku, price, quantity, create_time, active, note)
VALUES (:warehouse_id, :item.name, :item.sku, :item.price, :item.quantity, NOW(6), :item.active, :item.note);
-- name: reply :reply id=:insert.last_insert_id
