package consumer

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Dialect is the kind of database that a Store is in. No driver is needed for it: the service brings its own.
type Dialect int

// The dialects.
const (
	// SQLite is the default. The database should be in WAL mode with a busy_timeout of some seconds.
	SQLite Dialect = iota
	// MySQL is MySQL from 8.0 and MariaDB from 10.5 on. The tables are InnoDB's, in the connection's database.
	MySQL
	// PostgreSQL is PostgreSQL from 12 on. The tables are in the first schema of the search path.
	PostgreSQL
)

// String gives the dialect's name.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case MySQL:
		return "MySQL"
	case PostgreSQL:
		return "PostgreSQL"
	}
	return "dialect " + strconv.Itoa(int(d))
}

// statements are all that the Store asks a database, in one dialect.
type statements struct {
	// begin begins, on a connection of its own, what nobody can come in between of; commit and rollback end it. Where held is not
	// empty it is asked first, for the right to begin. In between, create makes the tables of version base; each may be run
	// again. version gives the schema's, and upgrade makes it the next one, from base on.
	held             string
	begin            []string
	commit, rollback string
	create           []string
	version          string
	base             int
	upgrade          [][]string
	// lock takes the right to change anything: it is the first statement of each other transaction, and isolation such that
	// what is read behind it is all that was committed before.
	lock      string
	isolation sql.IsolationLevel
	// marked says that lock takes a number, which is nobody else's: heard finds nothing and putEntity does nothing unless they get
	// it as well, behind all else. The database may undo a transaction there and go on as if none had begun.
	marked bool
	// Where the database keeps no line of those who wait, patience asks for the milliseconds that a connection waits in vain, and
	// setPatience, with a number, sets them; busy says of an error that it has. Where it does, these are empty.
	patience, setPatience string
	busy                  func(error) bool
	// broken says whether an error is that of a constraint, failing whether the database can't be read or written at present.
	broken, failing func(error) bool
	// keeps says why a text can't be kept as an id, a key or a name; empty when it can.
	keeps func(string) string
	// together is how many bytes an entity's name, id and version may have together, which are in one index; 0 for any.
	together int

	entity, putEntity, markLocal, unmarkLocal                   string
	epoch, raiseEpoch                                           string
	write, putWrite, renewWrite, sweepWrites                    string
	heard, putHeard                                             string
	anyParked, keyParked, entityParked, firstParked, lastParked string
	park, supersede, unpark, countKey, parkedKeys, listParked   string

	// For people: how much is parked, what it is without its data, and one event in full.
	countParked, briefParked, briefKey, oneParked, epochs string

	putBack, countBack, dropBack string

	queues, growQueues string
	// Members are seen by the database's clock, in milliseconds.
	putMember, members, dropMember, sweepMembers string
}

// schemaVersion is that of the tables after all upgrades.
const schemaVersion = 5

// statements gives what a dialect says.
func (d Dialect) statements() (statements, error) {
	switch d {
	case SQLite:
		return sqlite(), nil
	case MySQL:
		return mysql(), nil
	case PostgreSQL:
		return postgresql(), nil
	}
	return statements{}, fmt.Errorf("consumer: StoreOptions.Dialect is %v: it is SQLite, MySQL or PostgreSQL", d)
}

// portable gives what all dialects say alike but for the time and for upserts in the way of SQLite and PostgreSQL, which MySQL
// says otherwise: now is the time in milliseconds since 1970, and greatest the function that gives the greater of two.
func portable(now, greatest string) statements {
	return statements{
		version: `SELECT version FROM banyan_schema`,

		entity: `SELECT "key", version, event, local_epoch, local_by, deleted FROM banyan_entities WHERE entity = ? AND id = ?`,
		putEntity: `INSERT INTO banyan_entities (entity, id, "key", version, event, local_epoch, local_by, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (entity, id) DO UPDATE SET "key" = excluded."key", version = excluded.version, event = excluded.event, local_epoch = excluded.local_epoch, local_by = excluded.local_by, deleted = excluded.deleted`,
		markLocal: `INSERT INTO banyan_entities (entity, id, "key", version, event, local_epoch, local_by, deleted) VALUES (?, ?, ?, '', '', ?, ?, ?)
			ON CONFLICT (entity, id) DO UPDATE SET "key" = excluded."key", local_epoch = excluded.local_epoch, local_by = excluded.local_by, deleted = excluded.deleted`,
		unmarkLocal: `UPDATE banyan_entities SET local_epoch = NULL WHERE local_by = ? AND local_epoch < ?
			AND NOT EXISTS (SELECT 1 FROM banyan_parked p WHERE p.entity = banyan_entities.entity AND p.id = banyan_entities.id)`,

		epoch: `SELECT epoch FROM banyan_epochs WHERE capability = ?`,
		raiseEpoch: `INSERT INTO banyan_epochs (capability, epoch) VALUES (?, ?)
			ON CONFLICT (capability) DO UPDATE SET epoch = ` + greatest + `(banyan_epochs.epoch, excluded.epoch)`,

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
		lastParked:   `SELECT seq FROM banyan_parked WHERE "key" = ? ORDER BY seq DESC LIMIT 1`,
		park:         `INSERT INTO banyan_parked ("key", entity, id, version, event, reason, at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (entity, id, version) DO NOTHING`,
		supersede:    `DELETE FROM banyan_parked WHERE entity = ? AND id = ? AND version <= ?`,
		unpark:       `DELETE FROM banyan_parked WHERE seq = ?`,
		countKey:     `SELECT COUNT(*) FROM banyan_parked WHERE "key" = ?`,
		parkedKeys:   `SELECT DISTINCT "key" FROM banyan_parked WHERE "key" > ? ORDER BY "key" LIMIT ?`,
		listParked:   `SELECT seq, "key", event, reason, at FROM banyan_parked WHERE seq > ? ORDER BY seq LIMIT ?`,

		countParked: `SELECT COUNT(*), COUNT(DISTINCT "key"), COALESCE(MIN(at), 0) FROM banyan_parked`,
		briefParked: `SELECT seq, "key", entity, id, version, reason, at, LENGTH(event) FROM banyan_parked WHERE seq > ? ORDER BY seq LIMIT ?`,
		briefKey:    `SELECT seq, "key", entity, id, version, reason, at, LENGTH(event) FROM banyan_parked WHERE "key" = ? AND seq > ? ORDER BY seq LIMIT ?`,
		oneParked:   `SELECT seq, "key", entity, id, version, reason, at, LENGTH(event), event FROM banyan_parked WHERE seq = ?`,
		epochs:      `SELECT capability, epoch FROM banyan_epochs ORDER BY capability LIMIT ?`,

		putBack:   `INSERT INTO banyan_back (capability, epoch, fence, "partition") VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		countBack: `SELECT COUNT(*) FROM banyan_back WHERE capability = ? AND epoch = ? AND fence = ?`,
		dropBack:  `DELETE FROM banyan_back WHERE capability = ? AND epoch <= ?`,

		queues: `SELECT n FROM banyan_queues WHERE service = ?`,
		growQueues: `INSERT INTO banyan_queues (service, n) VALUES (?, ?)
			ON CONFLICT (service) DO UPDATE SET n = ` + greatest + `(banyan_queues.n, excluded.n)`,
		putMember: `INSERT INTO banyan_members (service, id, seen) VALUES (?, ?, ` + now + `)
			ON CONFLICT (service, id) DO UPDATE SET seen = excluded.seen`,
		members:      `SELECT id FROM banyan_members WHERE service = ? AND seen > ` + now + ` - ? ORDER BY id`,
		dropMember:   `DELETE FROM banyan_members WHERE service = ? AND id = ?`,
		sweepMembers: `DELETE FROM banyan_members WHERE service = ? AND seen < ` + now + ` - ?`,
	}
}

// texts gives all statements, to be spelled otherwise.
func (s *statements) texts() []*string {
	texts := []*string{
		&s.held, &s.commit, &s.rollback, &s.version, &s.lock,
		&s.entity, &s.putEntity, &s.markLocal, &s.unmarkLocal, &s.epoch, &s.raiseEpoch, &s.write, &s.putWrite, &s.renewWrite, &s.sweepWrites,
		&s.heard, &s.putHeard, &s.anyParked, &s.keyParked, &s.entityParked, &s.firstParked, &s.lastParked,
		&s.park, &s.supersede, &s.unpark, &s.countKey, &s.parkedKeys, &s.listParked, &s.putBack, &s.countBack, &s.dropBack,
		&s.countParked, &s.briefParked, &s.briefKey, &s.oneParked, &s.epochs,
		&s.queues, &s.growQueues, &s.putMember, &s.members, &s.dropMember, &s.sweepMembers,
	}
	for i := range s.create {
		texts = append(texts, &s.create[i])
	}
	return texts
}

// longestName bounds, in bytes, names that servers keep in an index: 255 characters of up to four.
const longestName = 4 * 255

// indexed says why a text can't be kept in the index of a server.
func indexed(text string) string {
	if len(text) > longestName {
		return fmt.Sprintf("it is longer than %d bytes", longestName)
	}
	return ""
}

// numbered gives a statement whose placeholders are numbered. It has no question marks but those.
func numbered(statement string) string {
	var b strings.Builder
	n := 0
	for _, r := range statement {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// unwrapped gives an error and all that it wraps, itself first.
func unwrapped(err error) []error {
	var all []error
	for err != nil {
		all = append(all, err)
		if several, is := err.(interface{ Unwrap() []error }); is {
			for _, err := range several.Unwrap() {
				all = append(all, unwrapped(err)...)
			}
			return all
		}
		err = errors.Unwrap(err)
	}
	return all
}
