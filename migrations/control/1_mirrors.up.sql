CREATE TABLE IF NOT EXISTS mirrors (
  name     VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  epoch    INT UNSIGNED NOT NULL COMMENT 'of versions, raised when the log is another than before',
  term     BIGINT UNSIGNED NOT NULL COMMENT 'counts leaders, fences all but the last',
  position JSON NULL COMMENT 'all before it is confirmed, NULL is none yet',
  leader   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' COMMENT 'the process that led last',
  saved_at TIMESTAMP(6) NULL DEFAULT NULL COMMENT 'when position was saved',
  PRIMARY KEY (name)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
