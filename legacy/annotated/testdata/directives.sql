-- events: shop.v2.Order id=orders_id
-- RPC: shop.v2.S.A
-- rpc : shop.v2.S.A
--rpc: shop.v2.S.A
-- see https://example.org; https://example.org is prose
-- https://example.org
-- Note: prose
-- note: not prose
-- if: x
-- rpc: shop.v2.S.A
/* c */ -- name: behind :one
-- name: a :one
-- expect 1 else NOT_FOUND GONE "gone"
SELECT 1
-- if: alone
-- ?
-- name : b :one
-- expect: 1 else NOT_FOUND GONE "gone"
 ; -- rpc: shop.v2.S.B
-- name: c :one
--expect: 1 else NOT_FOUND GONE "gone"
SELECT 1 -- note: at the end
 WHERE a = 1 -- when: x
;
-- ?
