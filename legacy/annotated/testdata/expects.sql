-- rpc: shop.v2.S.A
-- name: a :exec
-- expect:
UPDATE t SET a = 1;
-- name: b :exec
-- expect: == 1 else NOT_FOUND GONE "gone"
UPDATE t SET a = 1;
-- name: c :exec
-- expect: -1 else NOT_FOUND GONE "gone"
UPDATE t SET a = 1;
-- name: d :exec
-- expect: 1 NOT_FOUND GONE "gone"
UPDATE t SET a = 1;
-- name: e :exec
-- expect: !=0 else NotFound Gone "gone"
UPDATE t SET a = 1;
-- name: f :exec
-- expect: <1 else OK G "gone"
UPDATE t SET a = 1;
-- name: g :exec
-- expect: <= 1 else CANCELLED GONE
UPDATE t SET a = 1;
-- name: h :exec
-- expect: <= 1 else ABORTED GONE "gone
UPDATE t SET a = 1;
-- name: i :exec
-- expect: 1 else ABORTED GONE "{a" 
UPDATE t SET a = 1;
-- name: j :exec
-- expect: 1 else ABORTED GONE "{} {a b} } \n {a.b}" tail
UPDATE t SET a = 1;
-- name: k :exec
-- expect: 1 else ABORTED GONE ""
-- expect: 1 else ABORTED GONE "x"
UPDATE t SET a = 1
-- expect: 1 else ABORTED GONE "x"
;
-- name: l :exec
-- expect: 1 else ABORTED "gone"
UPDATE t SET a = 1;
