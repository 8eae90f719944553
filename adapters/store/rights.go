package store

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"banyan.dev/banyan/migrations"
)

// Part is what of Banyan works on its own tables, each with an account that may be its own.
type Part string

// The parts.
const (
	// PartWriter marks transactions in legacy, so that the mirror knows them, and joins the other replicas: who writes has to
	// be waited for by shifts, whatever it knows of them.
	PartWriter Part = "writer"
	// PartKeys keeps clients' idempotency keys.
	PartKeys Part = "keys"
	// PartShifts moves capabilities between stages, and keeps live writes.
	PartShifts Part = "shifts"
	// PartFences sends fences that only measure. PartShifts may, too.
	PartFences Part = "fences"
	// PartCallers counts who calls operations that are deprecated.
	PartCallers Part = "callers"
	// PartMirror keeps positions, heartbeats and backfills.
	PartMirror Part = "mirror"
	// PartStreams keeps apart what services can't be told of.
	PartStreams Part = "streams"
	// PartAnnouncer tells services of entities anew.
	PartAnnouncer Part = "announcer"
)

// Rights are privileges on one table in Options.Schema.
type Rights struct {
	Table      string
	Privileges []string
}

// rights are what the statements of this package, and of legacy's ledger, need for each part.
func rights() map[Part]map[string]string {
	const versions = "SELECT"
	return map[Part]map[string]string{
		PartWriter: {
			"migrations_control": versions, "migrations_ledger": versions,
			"writers":      "SELECT, INSERT, UPDATE, DELETE",
			"capabilities": "SELECT", "changes": "SELECT", "replicas": "SELECT, INSERT, UPDATE, DELETE",
		},
		PartKeys: {
			"migrations_control": versions, "migrations_ledger": versions,
			"idempotency": "SELECT, INSERT, UPDATE, DELETE",
			"writes":      "SELECT", "settled": "SELECT", // of live writes that keys name
		},
		PartShifts: {
			"migrations_control": versions, "migrations_ledger": versions,
			"capabilities": "SELECT, INSERT, UPDATE", "changes": "SELECT, INSERT, UPDATE", "audit": "SELECT, INSERT",
			"replicas": "SELECT, INSERT, UPDATE, DELETE", "writers": "SELECT, INSERT, UPDATE, DELETE",
			"writes": "SELECT, INSERT, UPDATE, DELETE", "locks": "SELECT, INSERT, UPDATE",
			"settled": "SELECT, INSERT, UPDATE, DELETE", "idempotency": "SELECT", "voids": "SELECT, INSERT, DELETE",
			"epochs": "SELECT, INSERT, UPDATE", "fences": "SELECT, INSERT, DELETE", "announcements": "SELECT, INSERT, DELETE",
			"passed": "SELECT", "unreadable": "SELECT",
		},
		PartFences: {
			"migrations_control": versions, "migrations_ledger": versions, "fences": "INSERT",
		},
		PartCallers: {
			"migrations_control": versions, "migrations_ledger": versions,
			"callers": "SELECT, INSERT, UPDATE, DELETE", "watched": "SELECT, INSERT, UPDATE",
		},
		PartMirror: {
			"migrations_control": versions, "migrations_ledger": versions,
			"mirrors": "SELECT, INSERT, UPDATE", "heartbeat": "SELECT, INSERT, UPDATE", "backfills": "SELECT, INSERT, UPDATE, DELETE",
		},
		PartStreams: {
			"unreadable": "SELECT, INSERT, UPDATE, DELETE", "passed": "SELECT, INSERT, DELETE",
		},
		PartAnnouncer: {
			"migrations_control": versions, "migrations_ledger": versions,
			"capabilities": "SELECT", "epochs": "SELECT, INSERT, UPDATE", "fences": "SELECT, INSERT", "announcements": "INSERT",
		},
	}
}

// RightsOf gives what a part needs, by table.
func RightsOf(part Part) (all []Rights) {
	for table, privileges := range rights()[part] {
		all = append(all, Rights{Table: table, Privileges: strings.Split(privileges, ", ")})
	}
	slices.SortFunc(all, func(a, b Rights) int { return strings.Compare(a.Table, b.Table) })
	return all
}

// MigrateRights gives what Up needs on the schema, for all migrations of this program. (The counting tables are written,
// too.) The error is about the embedded migrations.
func MigrateRights() (privileges []string, err error) {
	needs := map[string]bool{"CREATE": true, "SELECT": true, "INSERT": true, "DELETE": true}
	files, err := fs.Glob(migrations.Files, "*/*.up.sql")
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(migrations.Files, file)
		if err != nil {
			return nil, fmt.Errorf("read the embedded migrations: %w", err)
		}
		switch words := strings.Fields(string(text)); {
		case len(words) > 1 && words[0] == "CREATE" && words[1] == "TABLE":
		case len(words) > 1 && words[0] == "ALTER" && words[1] == "TABLE":
			needs["ALTER"] = true // MySQL and MariaDB want CREATE and INSERT besides
		default:
			return nil, fmt.Errorf("the embedded migration %s: what it needs is not known", file)
		}
	}
	for _, p := range []string{"SELECT", "INSERT", "DELETE", "CREATE", "ALTER"} {
		if needs[p] {
			privileges = append(privileges, p)
		}
	}
	return privileges, nil
}

// migrateRights is MigrateRights for a message.
func migrateRights() string {
	privileges, err := MigrateRights()
	if err != nil {
		return "ALL" // a test finds this before anybody meets it
	}
	return strings.Join(privileges, ", ")
}
