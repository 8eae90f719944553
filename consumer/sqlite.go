package consumer

import (
	"reflect"
	"slices"
	"strings"
)

// sqlite is SQLite's dialect. A transaction that begins with a read and then writes fails there when another one has written
// meanwhile; one that begins by writing waits for its turn instead. So the lock is a write.
func sqlite() statements {
	s := portable(`CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`, "MAX") // a time that every version of SQLite has
	s.begin, s.commit, s.rollback = []string{`BEGIN IMMEDIATE`}, `COMMIT`, `ROLLBACK`
	s.base = 1
	s.create = []string{
		`CREATE TABLE IF NOT EXISTS banyan_schema (version INTEGER NOT NULL, turn INTEGER NOT NULL)`,
		`INSERT INTO banyan_schema (version, turn) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM banyan_schema)`,
		`CREATE TABLE IF NOT EXISTS banyan_entities (entity TEXT NOT NULL, id TEXT NOT NULL, "key" TEXT NOT NULL, version TEXT NOT NULL,
			local_epoch INTEGER, deleted INTEGER NOT NULL, PRIMARY KEY (entity, id)) WITHOUT ROWID`,
		`CREATE TABLE IF NOT EXISTS banyan_epochs (capability TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE IF NOT EXISTS banyan_writes (id TEXT NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, capability TEXT NOT NULL,
			reply BLOB NOT NULL, entities TEXT NOT NULL, at INTEGER NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS banyan_writes_at ON banyan_writes (at)`,
		`CREATE TABLE IF NOT EXISTS banyan_parked (seq INTEGER PRIMARY KEY AUTOINCREMENT, "key" TEXT NOT NULL, entity TEXT NOT NULL, id TEXT NOT NULL,
			version TEXT NOT NULL, event BLOB NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE (entity, id, version))`,
		`CREATE INDEX IF NOT EXISTS banyan_parked_key ON banyan_parked ("key", seq)`,
	}
	s.upgrade = [][]string{{
		`ALTER TABLE banyan_entities ADD COLUMN event TEXT NOT NULL DEFAULT ''`,
		`UPDATE banyan_schema SET version = 2`,
	}, {
		`ALTER TABLE banyan_schema ADD COLUMN heard INTEGER NOT NULL DEFAULT 0`,
		`ALTER TABLE banyan_schema ADD COLUMN silent INTEGER NOT NULL DEFAULT 0`,
		`UPDATE banyan_schema SET version = 3, heard = (SELECT COALESCE(MAX(at), 0) FROM banyan_writes)`,
	}, {
		`ALTER TABLE banyan_entities ADD COLUMN local_by TEXT NOT NULL DEFAULT ''`,
		`UPDATE banyan_schema SET version = 4`,
	}, {
		`CREATE TABLE banyan_queues (service TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE banyan_members (service TEXT NOT NULL, id TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (service, id)) WITHOUT ROWID`,
		`CREATE TABLE banyan_back (capability TEXT NOT NULL, epoch INTEGER NOT NULL, fence TEXT NOT NULL, "partition" INTEGER NOT NULL,
			PRIMARY KEY (capability, epoch, fence, "partition")) WITHOUT ROWID`,
		`UPDATE banyan_schema SET version = 5`,
	}}
	s.lock = `UPDATE banyan_schema SET turn = turn + 1`
	s.patience, s.setPatience, s.busy = `PRAGMA busy_timeout`, `PRAGMA busy_timeout = %d`, sqliteBusy
	s.broken, s.failing = sqliteConstraint, sqliteFailing
	s.keeps = func(string) string { return "" }
	return s
}

// sqliteCode gives the number of SQLite's Result and Error Codes that a driver's error has, without what extends it. modernc.org's
// errors have a method Code, and so have ncruces' with a type of its own; mattn's are structs with a field of that name.
func sqliteCode(err error) (code int, ok bool) {
	const primary = 0xff
	for _, err := range unwrapped(err) {
		v := reflect.ValueOf(err)
		if v.Kind() == reflect.Pointer && v.IsNil() {
			continue
		}
		if method := v.MethodByName("Code"); method.IsValid() && method.Type().NumIn() == 0 && method.Type().NumOut() == 1 {
			v = method.Call(nil)[0]
		} else if v = reflect.Indirect(v); v.Kind() == reflect.Struct {
			v = v.FieldByName("Code")
		}
		switch v.Kind() { // those that the drivers have; gRPC's codes, for one, are of another
		case reflect.Int:
			return int(v.Int()) & primary, true
		case reflect.Uint8:
			return int(v.Uint() & primary), true //nolint:gosec // a byte
		}
	}
	return 0, false
}

// sqliteConstraint looks for SQLITE_CONSTRAINT, which drivers tell by number or in words.
func sqliteConstraint(err error) bool {
	if code, ok := sqliteCode(err); ok {
		const constraint = 19
		return code == constraint
	}
	return says(err, "constraint failed")
}

// sqliteBusy looks for SQLITE_BUSY.
func sqliteBusy(err error) bool {
	if code, ok := sqliteCode(err); ok {
		const busy = 5
		return code == busy
	}
	return says(err, "database is locked")
}

// says looks for words of SQLite's own, which drivers give that know no numbers.
func says(err error, words ...string) bool {
	return err != nil && slices.ContainsFunc(words, func(some string) bool { return strings.Contains(err.Error(), some) })
}

// sqliteFailing looks for SQLITE_PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL (of
// locking), NOLFS and NOTADB.
func sqliteFailing(err error) bool {
	if code, ok := sqliteCode(err); ok {
		return slices.Contains([]int{3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 22, 26}, code)
	}
	return says(err, "database is locked", "database table is locked", "database or disk is full", "disk I/O error", "attempt to write a readonly database")
}
