package consumer

import (
	"database/sql"
	"reflect"
	"slices"
	"strings"
)

// mysql is the dialect of MySQL and MariaDB.
//
// Transactions have REPEATABLE READ, whatever the server's or the connection's default is. There a transaction's snapshot begins with
// its first read that takes no lock, not with the transaction and not with an UPDATE, which always works on what was
// committed last. The lock is an UPDATE, and is the first statement: so the snapshot begins when the lock is there, and
// InnoDB gives a transaction's locks back only once what it has changed can be seen. The lock changes its row, because
// then nodes of a cluster that both take it notice that when they commit.
//
// A transaction that meets a deadlock is undone by the server, and what is asked behind that is committed at once. Whoever passes
// over the error would lose what was done before, and keep that it was done. So the lock's row has a mark of the
// transaction, and the statements that keep what was done look for it.
//
// Texts are VARBINARY: every collation of VARCHAR that both servers have takes 'a' and 'a ' for the same, or 'a' and 'A'.
func mysql() statements {
	s := portable(`TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000`, "GREATEST")
	const lock = `CONCAT('banyan.', MD5(COALESCE(DATABASE(), '')))`
	// Tables are not made in a transaction there. So the row with the version comes last, and upgrades must bear repetition.
	s.held = `SELECT GET_LOCK(` + lock + `, 60)`
	s.commit = `DO RELEASE_LOCK(` + lock + `)`
	s.rollback = s.commit
	s.base = 5
	const table = `) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`
	s.create = []string{
		`CREATE TABLE IF NOT EXISTS banyan_schema (one TINYINT NOT NULL PRIMARY KEY, version INT NOT NULL, turn BIGINT NOT NULL,
			heard BIGINT NOT NULL DEFAULT 0, silent BIGINT NOT NULL DEFAULT 0` + table,
		`CREATE TABLE IF NOT EXISTS banyan_entities (entity VARBINARY(1020) NOT NULL, id VARBINARY(1020) NOT NULL, "key" VARBINARY(1020) NOT NULL,
			version VARBINARY(1020) NOT NULL, event BLOB NOT NULL, local_epoch BIGINT, local_by VARBINARY(1020) NOT NULL, deleted BOOLEAN NOT NULL,
			PRIMARY KEY (entity, id)` + table,
		`CREATE TABLE IF NOT EXISTS banyan_epochs (capability VARBINARY(1020) NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL` + table,
		`CREATE TABLE IF NOT EXISTS banyan_writes (id VARBINARY(200) NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, capability VARBINARY(1020) NOT NULL,
			reply LONGBLOB NOT NULL, entities LONGBLOB NOT NULL, at BIGINT NOT NULL, KEY banyan_writes_at (at)` + table,
		`CREATE TABLE IF NOT EXISTS banyan_parked (seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, "key" VARBINARY(1020) NOT NULL, entity VARBINARY(1020) NOT NULL,
			id VARBINARY(1020) NOT NULL, version VARBINARY(1020) NOT NULL, event LONGBLOB NOT NULL, reason BLOB NOT NULL, at BIGINT NOT NULL,
			UNIQUE KEY banyan_parked_version (entity, id, version), KEY banyan_parked_key ("key", seq)` + table,
		`CREATE TABLE IF NOT EXISTS banyan_queues (service VARBINARY(1020) NOT NULL PRIMARY KEY, n INT NOT NULL` + table,
		`CREATE TABLE IF NOT EXISTS banyan_members (service VARBINARY(1020) NOT NULL, id VARBINARY(1020) NOT NULL, seen BIGINT NOT NULL, PRIMARY KEY (service, id)` + table,
		`CREATE TABLE IF NOT EXISTS banyan_back (capability VARBINARY(1020) NOT NULL, epoch BIGINT NOT NULL, fence VARBINARY(1020) NOT NULL, "partition" INT NOT NULL,
			PRIMARY KEY (capability, epoch, fence, "partition")` + table,
		`INSERT INTO banyan_schema (one, version, turn) VALUES (1, 5, 0) ON DUPLICATE KEY UPDATE version = version`,
	}
	s.lock, s.isolation, s.marked = `UPDATE banyan_schema SET turn = ?`, sql.LevelRepeatableRead, true
	s.broken, s.failing = func(error) bool { return false }, mysqlFailing
	s.keeps = indexed

	s.heard = `SELECT heard, silent FROM banyan_schema WHERE turn = ?`
	s.putEntity = `INSERT INTO banyan_entities (entity, id, "key", version, event, local_epoch, local_by, deleted)
		SELECT ?, ?, ?, ?, ?, ?, ?, ? FROM (SELECT 1 FROM banyan_schema WHERE turn = ?) AS mark
		ON DUPLICATE KEY UPDATE "key" = VALUES("key"), version = VALUES(version), event = VALUES(event), local_epoch = VALUES(local_epoch), local_by = VALUES(local_by), deleted = VALUES(deleted)`
	s.markLocal = `INSERT INTO banyan_entities (entity, id, "key", version, event, local_epoch, local_by, deleted) VALUES (?, ?, ?, '', '', ?, ?, ?)
		ON DUPLICATE KEY UPDATE "key" = VALUES("key"), local_epoch = VALUES(local_epoch), local_by = VALUES(local_by), deleted = VALUES(deleted)`
	s.raiseEpoch = `INSERT INTO banyan_epochs (capability, epoch) VALUES (?, ?) ON DUPLICATE KEY UPDATE epoch = GREATEST(epoch, VALUES(epoch))`
	s.sweepWrites = `DELETE FROM banyan_writes WHERE at < ? ORDER BY at LIMIT ?`
	s.park = `INSERT INTO banyan_parked ("key", entity, id, version, event, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE seq = seq`
	s.putBack = `INSERT INTO banyan_back (capability, epoch, fence, "partition") VALUES (?, ?, ?, ?) ON DUPLICATE KEY UPDATE epoch = VALUES(epoch)`
	s.growQueues = `INSERT INTO banyan_queues (service, n) VALUES (?, ?) ON DUPLICATE KEY UPDATE n = GREATEST(n, VALUES(n))`
	s.putMember = `INSERT INTO banyan_members (service, id, seen) VALUES (?, ?, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)
		ON DUPLICATE KEY UPDATE seen = VALUES(seen)`
	for _, text := range s.texts() {
		*text = strings.ReplaceAll(*text, `"`, "`")
	}
	return s
}

// mysqlCode gives the number of MySQL's error messages that a driver's error has: go-sql-driver's are structs with it as Number.
func mysqlCode(err error) (code uint64, ok bool) {
	for _, err := range unwrapped(err) {
		if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
			if number := v.FieldByName("Number"); number.IsValid() && number.CanUint() {
				return number.Uint(), true
			}
		}
	}
	return 0, false
}

// firstOfServer is the least number of the server's own error messages: those below are of files, of memory and of the disk.
const firstOfServer = 1000

// mysqlFailing says whether a server has failed, is going down, is full or read-only, lets nobody in, or has broken off a
// transaction or a statement for another's sake.
func mysqlFailing(err error) bool {
	code, ok := mysqlCode(err)
	return ok && (code < firstOfServer || slices.Contains([]uint64{
		1015, 1016, 1020, 1021, 1023, 1024, 1026, 1028, 1030, 1034, 1035, 1036, 1037, 1038, 1040, 1041, 1042, 1043, 1044, 1045, 1047, 1053, 1077, 1078, 1079, 1080,
		1114, 1129, 1135, 1142, 1143, 1152, 1158, 1159, 1160, 1161, 1180, 1184, 1189, 1190, 1194, 1195, 1203, 1205, 1206, 1213, 1226, 1227, 1290,
		1317, 1637, 1665, 1792, 1836, 1927, 1969, 3024, 3100, 3101, 3135, 3168, 3572, 4031,
	}, code))
}
