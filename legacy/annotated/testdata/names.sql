-- rpc: shop.v2.S.A
-- name:
SELECT 1;
-- name: :one
SELECT 1;
-- name: a
SELECT 1;
-- name: a-b :one
SELECT 1;
-- name: auth :one
SELECT 1;
-- name: b :all
SELECT :page;
-- name: c :one into=x into=y
SELECT 1;
-- name: d :many into
SELECT 1;
-- name: e :many limit=3 into=a into = b
SELECT 1;
-- name: f :exec into=- each=lines
UPDATE t SET a = 1;
-- name: g :exec as=x
UPDATE t SET a = 1;
-- name: h :exec each=a..b as=1
UPDATE t SET a = 1;
-- name: i :exec each=lines as=b
UPDATE t SET a = 1;
-- name: j :many each=lines as=line into=lines
SELECT 1;
-- name: k :many into=
SELECT 1;
-- name: l :many into=a[id=b]
SELECT 1;
-- name: m :many into=a[id].b
SELECT 1;
-- name: n :many into=a[id=b,c=d].e[f=g].h
SELECT 1;
-- name: o :many into=a[id=b.c
SELECT 1;
-- name: p :many into=a[id=b]c
SELECT 1;
-- name: q :many into=a.
SELECT 1;
-- name: none :one
-- name: empty :one
;
