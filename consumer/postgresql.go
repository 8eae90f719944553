package consumer

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// postgresql is PostgreSQL's dialect.
//
// Transactions have READ COMMITTED, whatever the default is: each statement's snapshot begins with it, so all behind the lock
// see what was committed before the lock was there, and PostgreSQL gives locks back only once that can be seen. With REPEATABLE READ the
// snapshot would be the lock's own, from before the wait, and the transaction would fail. The lock doesn't change its row, since each
// change would leave a dead one, which stays for as long as anybody reads an old snapshot.
//
// Texts have the collation "C": they are compared byte by byte.
func postgresql() statements {
	s := portable(`CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`, "GREATEST")
	// The number is that of "banyan" in ASCII. Without the lock, two who make one table at once disturb each other.
	s.begin = []string{`BEGIN ISOLATION LEVEL READ COMMITTED`, `SELECT pg_advisory_xact_lock(108170604798318)`}
	s.commit, s.rollback = `COMMIT`, `ROLLBACK`
	s.base = 5
	const text = ` TEXT COLLATE "C" NOT NULL`
	s.create = []string{
		`CREATE TABLE IF NOT EXISTS banyan_schema (one SMALLINT NOT NULL PRIMARY KEY, version INTEGER NOT NULL,
			heard BIGINT NOT NULL DEFAULT 0, silent BIGINT NOT NULL DEFAULT 0)`,
		`CREATE TABLE IF NOT EXISTS banyan_entities (entity` + text + `, id` + text + `, "key"` + text + `, version` + text + `, event` + text + `,
			local_epoch BIGINT, local_by` + text + `, deleted BOOLEAN NOT NULL, PRIMARY KEY (entity, id))`,
		`CREATE TABLE IF NOT EXISTS banyan_epochs (capability` + text + ` PRIMARY KEY, epoch BIGINT NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS banyan_writes (id` + text + ` PRIMARY KEY, epoch BIGINT NOT NULL, capability` + text + `,
			reply BYTEA NOT NULL, entities` + text + `, at BIGINT NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS banyan_writes_at ON banyan_writes (at)`,
		`CREATE TABLE IF NOT EXISTS banyan_parked (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "key"` + text + `, entity` + text + `,
			id` + text + `, version` + text + `, event BYTEA NOT NULL, reason` + text + `, at BIGINT NOT NULL, UNIQUE (entity, id, version))`,
		`CREATE INDEX IF NOT EXISTS banyan_parked_key ON banyan_parked ("key", seq)`,
		`CREATE TABLE IF NOT EXISTS banyan_queues (service` + text + ` PRIMARY KEY, n INTEGER NOT NULL)`,
		`CREATE TABLE IF NOT EXISTS banyan_members (service` + text + `, id` + text + `, seen BIGINT NOT NULL, PRIMARY KEY (service, id))`,
		`CREATE TABLE IF NOT EXISTS banyan_back (capability` + text + `, epoch BIGINT NOT NULL, fence` + text + `, "partition" INTEGER NOT NULL,
			PRIMARY KEY (capability, epoch, fence, "partition"))`,
		`INSERT INTO banyan_schema (one, version) VALUES (1, 5) ON CONFLICT DO NOTHING`,
	}
	s.lock, s.isolation = `SELECT version FROM banyan_schema FOR UPDATE`, sql.LevelReadCommitted
	s.broken, s.failing = postgresqlBroken, postgresqlFailing
	s.together = 2600 // a row of an index has at most 2704 bytes, with what belongs to it
	s.keeps = func(text string) string {
		if strings.ContainsRune(text, 0) {
			return "it has a zero byte, which PostgreSQL can't keep in a text"
		}
		return indexed(text)
	}
	for _, text := range s.texts() {
		*text = numbered(*text)
	}
	return s
}

// postgresqlCode gives the SQLSTATE of a driver's error.
func postgresqlCode(err error) string {
	var coded interface{ SQLState() string }
	if !errors.As(err, &coded) {
		return ""
	}
	return coded.SQLState()
}

// postgresqlBroken looks for a broken constraint, and for a transaction in which a statement has failed that nobody has told of:
// the Store tells of its own.
func postgresqlBroken(err error) bool {
	const ignored = "25P02"
	code := postgresqlCode(err)
	return strings.HasPrefix(code, "23") || code == ignored
}

// postgresqlFailing looks for lost connections, logins, read-only servers, transactions broken off for another's sake, missing
// rights and means, interventions, and what goes wrong inside of the server or below it.
func postgresqlFailing(err error) bool {
	code := postgresqlCode(err)
	if slices.Contains([]string{"25006", "25P03", "25P04", "42501", "55006", "55P03", "55P04"}, code) {
		return true
	}
	return len(code) == 5 && slices.Contains([]string{"08", "28", "40", "53", "57", "58", "F0", "XX"}, code[:2])
}
