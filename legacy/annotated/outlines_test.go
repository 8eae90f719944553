package annotated

// outlines are statements and what describe says of them.
func outlines() [][2]string {
	return [][2]string{
		{"SELECT 1", "SELECT/SELECT\nitem 1||"},
		{
			"select distinct o . `id` as order_id, `o`.name \"customer.name\", count( * ) n, o.*, * from shop.orders as o\n where a = :x and exists (select 1 from u where z = 1 order by q limit 3) group by o.id having n > 1 order by o.id, n desc limit 3",
			`SELECT/SELECT limit
item o.id|order_id|order_id
item o.name|customer.name|customer.name
item count(*)|n|n
item o.*|||star o
item *|||star 
FROM: shop.orders as o
WHERE: a = :x and exists (select 1 from u where z = 1 order by q limit 3)
GROUP BY: o.id
HAVING: n > 1
ORDER BY: o.id, n desc
LIMIT: 3
order o.id false id
order n true n
table shop.orders o
table .u `,
		},
		{
			"SELECT a b, 'x' 'y', _utf8'x', DATE '2020-01-01', NOW() + INTERVAL 1 DAY, a IS NULL, a COLLATE utf8_bin, CASE a WHEN 1 THEN 2 END, CASE WHEN a THEN 2 END c, a AS 'it''s', COUNT (x), a- -1 FROM t",
			`SELECT/SELECT
item a|b|b
item 'x' 'y'||
item _utf8 'x'||
item DATE '2020-01-01'||
item NOW() + INTERVAL 1 DAY||
item a IS NULL||
item a COLLATE utf8_bin||
item CASE a WHEN 1 THEN 2 END||
item CASE WHEN a THEN 2 END|c|c
item a|it's|it's
item COUNT (x)||
item a - - 1||
FROM: t
table .t `,
		},
		{
			"SELECT a.x FROM a, b AS bb LEFT JOIN (c JOIN d dd ON c.id = dd.id) USING (id, x), (SELECT q FROM e, f) s, JSON_TABLE('[]', '$[*]' COLUMNS (x INT PATH '$')) j, g WHERE TRIM(BOTH 'x' FROM a.y) = EXTRACT(YEAR FROM z), w FOR UPDATE",
			`SELECT/SELECT locks
item a.x||x
FROM: a, b AS bb LEFT JOIN (c JOIN d dd ON c.id = dd.id) USING (id, x), (SELECT q FROM e, f) s, JSON_TABLE('[]', '$[*]' COLUMNS (x INT PATH '$')) j, g
WHERE: TRIM(BOTH 'x' FROM a.y) = EXTRACT(YEAR FROM z), w
FOR UPDATE: 
table .a 
table .b bb
table .c 
table .d dd
table .e 
table .f 
table .g `,
		},
		{
			"SELECT a FROM t USE INDEX FOR ORDER BY (i) FORCE INDEX (j) WHERE t.`order` = 1 ORDER BY t.limit, FIELD(a, 1, 2) ASC LOCK IN SHARE MODE",
			"SELECT/SELECT locks\nitem a||a\nFROM: t USE INDEX FOR ORDER BY (i) FORCE INDEX (j)\nWHERE: t.`order` = 1\nORDER BY: t.limit, FIELD(a, 1, 2) ASC\nFOR UPDATE: \norder t.limit false limit\norder FIELD(a, 1, 2) false \ntable .t ",
		},
		{
			"WITH RECURSIVE c (n) AS (SELECT 1 FROM base UNION ALL SELECT n + 1 FROM c), d AS (SELECT 1 FROM c) SELECT c.n FROM c JOIN d JOIN t ORDER BY n",
			"WITH/SELECT\nitem c.n||n\nFROM: c JOIN d JOIN t\nORDER BY: n\norder n false n\ntable .base \ntable .t ",
		},
		{"WITH c AS (SELECT 1) UPDATE t SET a = :x WHERE b IN (SELECT * FROM c)", "WITH/UPDATE\nSET: a = :x\nWHERE: b IN (SELECT * FROM c)\ntable .t  written\nwrite :x .t.a"},
		{"SELECT a FROM t UNION SELECT b FROM u ORDER BY 1 LIMIT 2", "SELECT/SELECT opaque union\nitem a||a\ntable .t \ntable .u "},
		{"(SELECT a FROM t) LIMIT 3", "SELECT/SELECT opaque\ntable .t "},
		{"SELECT a FROM t OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY", "SELECT/SELECT limit\nitem a||a\nFROM: t\nLIMIT: 2 ROWS\nLIMIT: 3 ROWS ONLY\ntable .t "},
		{"SELECT ROW_NUMBER() OVER (ORDER BY a) rn FROM t WINDOW w AS (ORDER BY b)", "SELECT/SELECT\nitem ROW_NUMBER() OVER (ORDER BY a)|rn|rn\nFROM: t\nWINDOW: w AS (ORDER BY b)\ntable .t "},
		{
			"INSERT INTO t (a, `b`, c, d) VALUES (:x, :y + 1, :json(z), 'd') ON DUPLICATE KEY UPDATE b = :y, c = VALUES(c), d=d+:y",
			"INSERT/INSERT\ntable .t  written\nwrite :x .t.a\nwrite :json(z) .t.c\nwrite :y .t.b\ntuple (:x, :y + 1, :json(z), 'd')",
		},
		{"INSERT IGNORE s.t (a) VALUES (:x), (:y)", "INSERT/INSERT\ntable s.t  written\nwrite :x s.t.a\nwrite :y s.t.a"},
		{"INSERT INTO t VALUES (:x)", "INSERT/INSERT\ntable .t  written\ntuple (:x)"},
		{"INSERT INTO t (a, b) VALUES (:x)", "INSERT/INSERT\ntable .t  written\ntuple (:x)"},
		{"INSERT INTO t () VALUES ()", "INSERT/INSERT\ntable .t  written\ntuple ()"},
		{"REPLACE INTO t SET a = :x, b = (SELECT MAX(b) FROM u)", "REPLACE/REPLACE\ntable .t  written\ntable .u \nwrite :x .t.a"},
		{
			"INSERT INTO t (a, b) SELECT :x, b FROM u ON DUPLICATE KEY UPDATE a = :x, t.b = :y",
			"INSERT/INSERT\ntable .t  written\ntable .u \nwrite :x .t.a\nwrite :y .t.b",
		},
		{"INSERT INTO t (SELECT 1 FROM u)", "INSERT/INSERT\ntable .t  written\ntable .u "},
		{"INSERT INTO t (a) VALUES (:x) RETURNING id, a AS b", "INSERT/INSERT\nitem id||id\nitem a|b|b\nRETURNING: id, a AS b\ntable .t  written\nwrite :x .t.a\ntuple (:x)"},
		{"INSERT INTO t (a) VALUES (:x) AS n ON DUPLICATE KEY UPDATE a = n.a", "INSERT/INSERT\ntable .t  written\nwrite :x .t.a\ntuple (:x)"},
		{"UPDATE LOW_PRIORITY t SET a = :x, `key` = :prefix(y), c = c + :x, t.d = :y WHERE id = :id ORDER BY id LIMIT 1", "UPDATE/UPDATE limit\nSET: a = :x, `key` = :prefix(y), c = c + :x, t.d = :y\nWHERE: id = :id\nORDER BY: id\nLIMIT: 1\norder id false id\ntable .t  written\nwrite :x .t.a\nwrite :prefix(y) .t.key\nwrite :y .t.d"},
		{"UPDATE a x JOIN s.b ON x.id = b.id SET x.q = :x, r = :y, b.r = :z, c.r = :z", "UPDATE/UPDATE\nSET: x.q = :x, r = :y, b.r = :z, c.r = :z\ntable .a x written\ntable s.b  written\nwrite :x .a.q\nwrite :y ..r\nwrite :z s.b.r\nwrite :z ..r"},
		{"DELETE FROM t WHERE id = :id LIMIT 1", "DELETE/DELETE limit\nFROM: t\nWHERE: id = :id\nLIMIT: 1\ntable .t  written"},
		{"DELETE a FROM t AS a JOIN u USING (id) WHERE a.x IN (SELECT y FROM v)", "DELETE/DELETE\nFROM: t AS a JOIN u USING (id)\nWHERE: a.x IN (SELECT y FROM v)\ntable .t a written\ntable .u  written\ntable .v "},
		{"DELETE FROM a USING t AS a JOIN u USING (id)", "DELETE/DELETE\nFROM: a\nUSING: t AS a JOIN u USING (id)\ntable .t a written\ntable .u  written"},
		{"CALL p(:x)", "CALL/CALL opaque"},
		{"SET @a = 1", "SET/SET opaque"},
		{"TRUNCATE t", "/ opaque"},
		{"SELECT", "SELECT/SELECT"},
		{"SELECT a,", "SELECT/SELECT"},
		{"INSERT", "INSERT/INSERT"},
		{"WITH", "WITH/ opaque"},
		{"UPDATE t SET a = :x, FOR UPDATE", "UPDATE/UPDATE locks\nSET: a = :x, FOR UPDATE\ntable .t  written\nwrite :x .t.a"},
	}
}
