-- rpc: shop.v2.S.A
-- name: a :call
-- name: b :call id=:x
-- name: c :call Get/x id=x id=:y =:z id=:name(x) page=:page a.b=:c.d a.b=:e
-- expect: 1 else NOT_FOUND GONE "gone"
SELECT 1;
-- rpc: shop.v2.S.B
-- name: d :call shop.v2.S.A id=:id
-- expect: 1 else NOT_FOUND GONE "gone"
-- name: e :one
SELECT 1;
-- rpc: shop.v2.S.C
-- name: f :reply
-- name: g :reply id=1
SELECT 1;
-- put: shop.v2.M
-- name: h :reply id=:id
-- expect: 1 else NOT_FOUND GONE "gone"
