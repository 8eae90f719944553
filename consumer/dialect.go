package consumer

import (
	"errors"
	"slices"
	"strings"
)

// statements are all that the Store asks a database, in one dialect.
type statements struct {
	// begin begins a transaction that nobody can come in between of, by hand. In it, create makes the tables; each may be run
	// again. version gives the schema's, and upgrade makes it the next one, from 1 on.
	begin   string
	create  []string
	version string
	upgrade [][]string
	// lock takes the right to change anything: it is the first statement of each other transaction.
	lock string
	// broken says whether an error is that of a constraint, failing whether the database can't be read or written at present.
	broken, failing func(error) bool

	entity, putEntity, markLocal, unmarkLocal                 string
	epoch, raiseEpoch                                         string
	write, putWrite, renewWrite, sweepWrites                  string
	heard, putHeard                                           string
	anyParked, keyParked, entityParked, firstParked           string
	park, supersede, unpark, countKey, parkedKeys, listParked string

	putBack, countBack, dropBack string

	queues, growQueues string
	// Members are seen by the database's clock, in milliseconds.
	putMember, members, dropMember, sweepMembers string
}

// schemaVersion is that of the tables after all upgrades.
const schemaVersion = 5

// sqlite is SQLite's dialect. A transaction that begins with a read and then writes fails there when another one has written
// meanwhile; one that begins by writing waits for its turn instead. So the lock is a write.
func sqlite() statements {
	return statements{
		begin: `BEGIN IMMEDIATE`,
		create: []string{
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
		},
		version: `SELECT version FROM banyan_schema`,
		upgrade: [][]string{{
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
		}},
		lock:   `UPDATE banyan_schema SET turn = turn + 1`,
		broken: sqliteConstraint, failing: sqliteFailing,

		entity: `SELECT "key", version, event, local_epoch, local_by, deleted FROM banyan_entities WHERE entity = ? AND id = ?`,
		putEntity: `INSERT INTO banyan_entities (entity, id, "key", version, event, local_epoch, local_by, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (entity, id) DO UPDATE SET "key" = excluded."key", version = excluded.version, event = excluded.event, local_epoch = excluded.local_epoch, local_by = excluded.local_by, deleted = excluded.deleted`,
		markLocal: `INSERT INTO banyan_entities (entity, id, "key", version, local_epoch, local_by, deleted) VALUES (?, ?, ?, '', ?, ?, ?)
			ON CONFLICT (entity, id) DO UPDATE SET "key" = excluded."key", local_epoch = excluded.local_epoch, local_by = excluded.local_by, deleted = excluded.deleted`,
		unmarkLocal: `UPDATE banyan_entities SET local_epoch = NULL WHERE local_by = ? AND local_epoch < ?
			AND NOT EXISTS (SELECT 1 FROM banyan_parked p WHERE p.entity = banyan_entities.entity AND p.id = banyan_entities.id)`,

		epoch: `SELECT epoch FROM banyan_epochs WHERE capability = ?`,
		raiseEpoch: `INSERT INTO banyan_epochs (capability, epoch) VALUES (?, ?)
			ON CONFLICT (capability) DO UPDATE SET epoch = MAX(epoch, excluded.epoch)`,

		write:       `SELECT capability, reply, entities FROM banyan_writes WHERE id = ?`,
		putWrite:    `INSERT INTO banyan_writes (id, epoch, capability, reply, entities, at) VALUES (?, ?, ?, ?, ?, ?)`,
		renewWrite:  `UPDATE banyan_writes SET at = ? WHERE id = ?`,
		sweepWrites: `DELETE FROM banyan_writes WHERE id IN (SELECT id FROM banyan_writes WHERE at < ? ORDER BY at LIMIT ?)`,

		heard:    `SELECT heard, silent FROM banyan_schema`,
		putHeard: `UPDATE banyan_schema SET heard = ?, silent = ?`,

		anyParked:    `SELECT EXISTS (SELECT 1 FROM banyan_parked)`,
		keyParked:    `SELECT EXISTS (SELECT 1 FROM banyan_parked WHERE "key" = ?)`,
		entityParked: `SELECT "key", version FROM banyan_parked WHERE entity = ? AND id = ? ORDER BY version DESC LIMIT 1`,
		firstParked:  `SELECT seq, event FROM banyan_parked WHERE "key" = ? ORDER BY seq LIMIT 1`,
		park:         `INSERT INTO banyan_parked ("key", entity, id, version, event, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (entity, id, version) DO NOTHING`,
		supersede:    `DELETE FROM banyan_parked WHERE entity = ? AND id = ? AND version <= ?`,
		unpark:       `DELETE FROM banyan_parked WHERE seq = ?`,
		countKey:     `SELECT COUNT(*) FROM banyan_parked WHERE "key" = ?`,
		parkedKeys:   `SELECT DISTINCT "key" FROM banyan_parked WHERE "key" > ? ORDER BY "key" LIMIT ?`,
		listParked:   `SELECT seq, "key", event, reason, at FROM banyan_parked WHERE seq > ? ORDER BY seq LIMIT ?`,

		putBack:   `INSERT INTO banyan_back (capability, epoch, fence, "partition") VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		countBack: `SELECT COUNT(*) FROM banyan_back WHERE capability = ? AND epoch = ? AND fence = ?`,
		dropBack:  `DELETE FROM banyan_back WHERE capability = ? AND epoch <= ?`,

		queues: `SELECT n FROM banyan_queues WHERE service = ?`,
		growQueues: `INSERT INTO banyan_queues (service, n) VALUES (?, ?)
			ON CONFLICT (service) DO UPDATE SET n = MAX(n, excluded.n)`,
		putMember: `INSERT INTO banyan_members (service, id, seen) VALUES (?, ?, ` + sqliteNow + `)
			ON CONFLICT (service, id) DO UPDATE SET seen = excluded.seen`,
		members:      `SELECT id FROM banyan_members WHERE service = ? AND seen > ` + sqliteNow + ` - ? ORDER BY id`,
		dropMember:   `DELETE FROM banyan_members WHERE service = ? AND id = ?`,
		sweepMembers: `DELETE FROM banyan_members WHERE service = ? AND seen < ` + sqliteNow + ` - ?`,
	}
}

// sqliteNow is the time in milliseconds since 1970, in every version of SQLite.
const sqliteNow = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`

// sqliteCode gives the number of SQLite's Result and Error Codes that a driver's error has, without what extends it.
func sqliteCode(err error) (code int, ok bool) {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return 0, false
	}
	const primary = 0xff
	return coded.Code() & primary, true
}

// sqliteConstraint looks for SQLITE_CONSTRAINT, which drivers tell by number or in words.
func sqliteConstraint(err error) bool {
	if code, ok := sqliteCode(err); ok {
		const constraint = 19
		return code == constraint
	}
	return err != nil && strings.Contains(err.Error(), "constraint failed")
}

// sqliteFailing looks for SQLITE_BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, CORRUPT, FULL and CANTOPEN.
func sqliteFailing(err error) bool {
	code, ok := sqliteCode(err)
	return ok && slices.Contains([]int{5, 6, 7, 8, 9, 10, 11, 13, 14}, code)
}
