DROP TABLE IF EXISTS capabilities
