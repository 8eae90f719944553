CREATE TABLE IF NOT EXISTS writers (
  replica    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  slot       INT NOT NULL COMMENT '0 is the replica''s own, all others are marks of transactions',
  token      BINARY(16) NOT NULL COMMENT 'of the process that may write, another one fences it',
  n          BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'transactions begun',
  started_at TIMESTAMP(6) NULL DEFAULT NULL,
  seen_at    TIMESTAMP(6) NULL DEFAULT NULL COMMENT 'in slot 0: when the replica was there last',
  PRIMARY KEY (replica, slot)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
