CREATE TABLE IF NOT EXISTS fences (
  id         CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  service    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'whose stream it goes down',
  capability VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  epoch      BIGINT UNSIGNED NOT NULL COMMENT 'of writes that the service goes on taking, 0 leaves it as it is',
  reply_to   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the queue of the answer',
  void       LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'ids of writes that are given up, a JSON array',
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY age (created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
