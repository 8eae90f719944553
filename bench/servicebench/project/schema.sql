CREATE TABLE orders (
  id          BIGINT        NOT NULL,
  customer_id BIGINT        NOT NULL,
  reference   VARCHAR(40)   NOT NULL,
  status      VARCHAR(20)   NOT NULL,
  total       DECIMAL(15,4) NOT NULL,
  placed_at   DATETIME      NOT NULL,
  note        TEXT          NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE order_lines (
  id       BIGINT        NOT NULL,
  order_id BIGINT        NOT NULL,
  sku      VARCHAR(20)   NOT NULL,
  quantity INT           NOT NULL,
  price    DECIMAL(15,4) NOT NULL,
  text     VARCHAR(80)   NOT NULL,
  PRIMARY KEY (id),
  KEY (order_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
CREATE TABLE line_notes (
  line_id BIGINT NOT NULL,
  note    TEXT   NOT NULL,
  PRIMARY KEY (line_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
