-- rpc: shop.v2.S.A
-- name: a :many
	SELECT	:x
  FROM t WHERE :page AND :page -- if:
   AND a = 1 -- ?
   AND (a = :x -- ?
   OR b = 2) -- if: y
   AND a = :x -- ? -- if: y
   AND a = :x -- if: y == "-- ?" -- ?
   AND a = :x -- if: y == "-- ?"
   AND :page -- if: y
   AND a = :x -- ? only then
   AND a = :x -- if y
   AND a = :x -- as given -- ?
   AND a = :x # -- ?
   AND ? = :a. OR :1 OR :foo(x) OR :name(:x) OR :name( OR a :: b
   AND a = 'x
 y' AND b = :b -- ?
   AND /*! 1 */ 1
