package preflight

import "slices"

// Topic names a kind of finding; docs/preflight.md has a row for each.
type Topic string

// The topics, in the order in which they are shown within a severity.
const (
	Version           Topic = "version"
	LogOff            Topic = "log-off"
	LogFormat         Topic = "log-format"
	RowImage          Topic = "row-image"
	RowMetadata       Topic = "row-metadata"
	PartialJSON       Topic = "partial-json"
	LogEngine         Topic = "log-engine"
	LogErrors         Topic = "log-errors"
	LogFilters        Topic = "log-filters"
	ServerID          Topic = "server-id"
	GTIDMode          Topic = "gtid-mode"
	GTIDStrict        Topic = "gtid-strict"
	GTIDDomains       Topic = "gtid-domains"
	Durability        Topic = "durability"
	Retention         Topic = "retention"
	Compression       Topic = "compression"
	Checksum          Topic = "checksum"
	TwoPhaseAlter     Topic = "two-phase-alter"
	StatementText     Topic = "statement-text"
	NameCase          Topic = "name-case"
	ReadOnly          Topic = "read-only"
	Replica           Topic = "replica"
	Cluster           Topic = "cluster"
	RightsReplication Topic = "rights-replication"
	RightsSelect      Topic = "rights-select"
	RightsReferences  Topic = "rights-references"
	RightsTriggers    Topic = "rights-triggers"
	RightsLedger      Topic = "rights-ledger"
	ScopeEmpty        Topic = "scope-empty"
	EngineElsewhere   Topic = "engine-elsewhere"
	EnginePlain       Topic = "engine-plain"
	EngineMemory      Topic = "engine-memory"
	PrimaryKey        Topic = "primary-key"
	Cascades          Topic = "cascades"
	CascadesOutside   Topic = "cascades-outside"
	Triggers          Topic = "triggers"
	Versioned         Topic = "versioned"
	Sequences         Topic = "sequences"
	Partitions        Topic = "partitions"
	StoredBytes       Topic = "stored-bytes"
	Sessions          Topic = "sessions"
	SessionsUnseen    Topic = "sessions-unseen"
	SessionRights     Topic = "session-rights"
	PreparedXA        Topic = "prepared-xa"
)

// Topics gives all of them.
func Topics() []Topic {
	return []Topic{
		Version, LogOff, LogFormat, RowImage, RowMetadata, PartialJSON, LogEngine, LogErrors, LogFilters, ServerID,
		GTIDMode, GTIDStrict, GTIDDomains, Durability, Retention, Compression, Checksum, TwoPhaseAlter, StatementText,
		NameCase, ReadOnly, Replica, Cluster,
		RightsReplication, RightsSelect, RightsReferences, RightsTriggers, RightsLedger,
		ScopeEmpty, EngineElsewhere, EnginePlain, EngineMemory, PrimaryKey, Cascades, CascadesOutside, Triggers,
		Versioned, Sequences, Partitions, StoredBytes,
		Sessions, SessionsUnseen, SessionRights, PreparedXA,
	}
}

func (t Topic) order() int { return slices.Index(Topics(), t) }
