CREATE TABLE IF NOT EXISTS idempotency (
  id              BINARY(32) NOT NULL COMMENT 'SHA-256 of client, key and subject',
  client          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'whose key it is, empty where nobody is known',
  idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'as the client gave it',
  operation       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'the full name of the RPC',
  request         BINARY(32) NOT NULL COMMENT 'SHA-256 of operation and request',
  write_id        CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the live write that does it, whose row has the reply',
  reply           LONGBLOB NULL COMMENT 'protobuf, of what legacy has done alone',
  created_at      TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  expires_at      DATETIME(6) NOT NULL COMMENT 'UTC, so that the sessions'' zones have no part in it',
  PRIMARY KEY (id),
  KEY age (expires_at),
  KEY writes (write_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT = DYNAMIC
