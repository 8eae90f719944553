CREATE TABLE orders (
  id          BIGINT        NOT NULL,
  customer_id INT UNSIGNED  NOT NULL,
  reference   VARCHAR(40)   NOT NULL,
  status      VARCHAR(20)   NOT NULL,
  items       SMALLINT      NOT NULL,
  total       DECIMAL(15,4) NOT NULL,
  placed_at   DATETIME      NOT NULL,
  note        TEXT          NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
