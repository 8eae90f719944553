CREATE TABLE IF NOT EXISTS locks (
  slot INT UNSIGNED NOT NULL COMMENT 'a hash of capability and entity, locked by each write-back as its first change behind the mark',
  n    BIGINT UNSIGNED NOT NULL DEFAULT 0,
  PRIMARY KEY (slot)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
