SELECT 1;
-- name: early :one
SELECT 1;
-- name: early :one
SELECT 1;
-- expect: 1 else NOT_FOUND GONE "gone"
-- rpc: shop.v2.S.Get and prose
-- rpc: Get
-- rpc:
-- put: shop v2
-- put: shop.v2.Order
-- name: a :exec
UPDATE t SET a = :a;
-- put: shop.v2.Order
-- name: q :one
SELECT 1;
-- name: c :call Get id=:id
-- rpc: shop.v2.S.List
SELECT 2;
-- name: a :many into=-
SELECT 3;
-- name: a :many into=-
SELECT 4;
-- enum: shop.v2.E
-- name: orphan :one
SELECT 5;
-- enum: shop.v2.E A=1 A=2 B=1 C=x D='open E=
-- enum: E!x A = 1
-- enum: shop.v2.F A='x'B=2
-- enum: shop.v2.G A=
-- rpc: shop.v2.S.Empty
