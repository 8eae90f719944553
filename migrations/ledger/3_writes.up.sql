CREATE TABLE IF NOT EXISTS writes (
  id         CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'the same for each try of one live write',
  capability VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  operation  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the full name of the RPC',
  routed_by  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL COMMENT 'the key, NULL is none',
  entity     VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' COMMENT 'its id, empty while not known',
  epoch      BIGINT UNSIGNED NOT NULL COMMENT 'the flag''s version that it was decided under',
  replica    VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the process that began it',
  state      VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'open, closed, failed, void, doubt',
  reason     VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
  request    LONGBLOB NOT NULL COMMENT 'protobuf',
  reply      LONGBLOB NULL COMMENT 'protobuf, once closed',
  created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  changed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (id),
  KEY unfinished (state, capability, created_at),
  KEY age (created_at),
  KEY carried (capability, entity, changed_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
