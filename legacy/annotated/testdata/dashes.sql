-- rpc: shop.v2.S.D
-- name: a :one
SELECT a --1, b --comment
  FROM t --?
 WHERE a = 1--/* c */2 AND b = :b --if: x
;
