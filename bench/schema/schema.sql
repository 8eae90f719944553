CREATE TABLE items (
  id           BIGINT        NOT NULL AUTO_INCREMENT,
  warehouse_id BIGINT        NOT NULL,
  name         VARCHAR(100)  NOT NULL,
  sku          VARCHAR(40)   NOT NULL,
  price        DECIMAL(12,2) NOT NULL,
  quantity     INT           NOT NULL,
  create_time  DATETIME(6)   NOT NULL,
  active       TINYINT(1)    NOT NULL,
  note         VARCHAR(200)  NULL,
  PRIMARY KEY (id),
  UNIQUE KEY (sku),
  KEY (warehouse_id, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

# 100 warehouses of 200 items each, so that a page of 100 is never the last one.
INSERT INTO items (id, warehouse_id, name, sku, price, quantity, create_time, active, note)
SELECT seq, 1 + seq MOD 100, CONCAT('Garden chair, folding, no. ', seq), CONCAT('GC-', LPAD(seq, 8, '0')), 9.90 + seq MOD 1000,
       1 + seq MOD 77, '2024-01-01 08:00:00' + INTERVAL seq * 61 SECOND + INTERVAL seq MOD 1000 * 1001 MICROSECOND,
       seq MOD 5 <> 0, IF(seq MOD 3 = 0, NULL, 'Oiled beech; deliver to the back door')
  FROM seq_1_to_20000;
