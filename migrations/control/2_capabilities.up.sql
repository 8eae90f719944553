CREATE TABLE IF NOT EXISTS capabilities (
  name       VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  revision   BIGINT UNSIGNED NOT NULL COMMENT 'raised with each change, for compare and swap',
  version    BIGINT UNSIGNED NOT NULL COMMENT 'the flag''s',
  flag       JSON NOT NULL COMMENT 'what replicas see',
  state      JSON NOT NULL COMMENT 'how far a shift has come',
  changed    BIGINT UNSIGNED NOT NULL COMMENT 'which change of all flags was its last, see changes',
  changed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (name),
  KEY changed (changed)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
