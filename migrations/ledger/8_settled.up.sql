CREATE TABLE IF NOT EXISTS settled (
  id         CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of a void write, once it is known what the new service had done for it',
  carried    TINYINT(1) NOT NULL COMMENT 'whether another write-back may have brought that to legacy',
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY age (created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
