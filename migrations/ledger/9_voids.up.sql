CREATE TABLE IF NOT EXISTS voids (
  capability VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  id         CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of a write that was given up, and that the new service has to be told of',
  epoch      BIGINT UNSIGNED NOT NULL COMMENT 'the flag''s version of the hold that gave it up',
  PRIMARY KEY (capability, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
