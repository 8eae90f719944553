-- rpc: shop.v2.S.A
-- name: a :one
SELECT 1; SELECT 2;
-- name: b :one
SELECT 1;;
-- name: c :one
SELECT :page;
-- name: d :one
SELECT 'open;
-- name: e :one
SELECT "x', `y;
-- name: f :one
SELECT 1 /* open
;
-- name: g :one
SELECT 1
