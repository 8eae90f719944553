CREATE TABLE IF NOT EXISTS unreadable (
  mirror       VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the stream that does not tell of it',
  entity       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the message''s full name',
  id           VARBINARY(1024) NOT NULL,
  reason       TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  fix          TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'what to do about it',
  since        TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  version      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'of the last change that was not told',
  event        TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the id of its event',
  committed_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) COMMENT 'when that change was committed',
  written_back BOOLEAN NOT NULL COMMENT 'that change came from the service itself',
  PRIMARY KEY (mirror, entity, id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
