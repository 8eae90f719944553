CREATE TABLE IF NOT EXISTS epochs (
  capability VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  epoch      BIGINT UNSIGNED NOT NULL COMMENT 'the greatest of a fence that was sent, locked by who sends one and by who announces',
  back       CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'the last fence that told that all keys are legacy''s again',
  PRIMARY KEY (capability)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
