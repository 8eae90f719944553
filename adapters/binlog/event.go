package binlog

import (
	"errors"

	"github.com/go-mysql-org/go-mysql/replication"
)

// headerSize is that of the header that each event begins with (MySQL Internals, "Binary Log Event Header").
const headerSize = 19

const (
	flagArtificial = 0x20
	flagIgnorable  = 0x80
)

const (
	kindQuery        = replication.QUERY_EVENT
	kindStop         = replication.STOP_EVENT
	kindRotate       = replication.ROTATE_EVENT
	kindIntVar       = replication.INTVAR_EVENT
	kindRand         = replication.RAND_EVENT
	kindUserVar      = replication.USER_VAR_EVENT
	kindFormat       = replication.FORMAT_DESCRIPTION_EVENT
	kindXID          = replication.XID_EVENT
	kindAppendBlock  = replication.APPEND_BLOCK_EVENT
	kindDeleteFile   = replication.DELETE_FILE_EVENT
	kindBeginLoad    = replication.BEGIN_LOAD_QUERY_EVENT
	kindExecuteLoad  = replication.EXECUTE_LOAD_QUERY_EVENT
	kindTableMap     = replication.TABLE_MAP_EVENT
	kindIncident     = replication.INCIDENT_EVENT
	kindHeartbeat    = replication.HEARTBEAT_EVENT
	kindHeartbeat2   = replication.HEARTBEAT_LOG_EVENT_V2
	kindIgnorable    = replication.IGNORABLE_EVENT
	kindRowsQuery    = replication.ROWS_QUERY_EVENT
	kindGTID         = replication.GTID_EVENT
	kindAnonymous    = replication.ANONYMOUS_GTID_EVENT
	kindTagged       = replication.GTID_TAGGED_LOG_EVENT
	kindPrevious     = replication.PREVIOUS_GTIDS_EVENT
	kindContext      = replication.TRANSACTION_CONTEXT_EVENT
	kindViewChange   = replication.VIEW_CHANGE_EVENT
	kindXAPrepare    = replication.XA_PREPARE_LOG_EVENT
	kindPartial      = replication.PARTIAL_UPDATE_ROWS_EVENT
	kindPayload      = replication.TRANSACTION_PAYLOAD_EVENT
	kindAnnotate     = replication.MARIADB_ANNOTATE_ROWS_EVENT
	kindCheckpoint   = replication.MARIADB_BINLOG_CHECKPOINT_EVENT
	kindMariaGTID    = replication.MARIADB_GTID_EVENT
	kindMariaList    = replication.MARIADB_GTID_LIST_EVENT
	kindEncryption   = replication.MARIADB_START_ENCRYPTION_EVENT
	kindMariaQuery   = replication.MARIADB_QUERY_COMPRESSED_EVENT
	kindMariaInsert1 = replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1
	kindMariaUpdate1 = replication.MARIADB_UPDATE_ROWS_COMPRESSED_EVENT_V1
	kindMariaDelete1 = replication.MARIADB_DELETE_ROWS_COMPRESSED_EVENT_V1
	// Of an early MariaDB 10.2 only.
	kindMariaInsert2 replication.EventType = 169
	kindMariaUpdate2 replication.EventType = 170
	kindMariaDelete2 replication.EventType = 171
)

// event is one event of the log, without its checksum.
type event struct {
	kind      replication.EventType
	timestamp uint32
	server    uint32 // server_id of where it was first written
	size      uint32 // in the log
	end       uint32 // where the next begins, modulo 4 GiB; 0 is unknown
	flags     uint16
	body      []byte

	start   uint64 // where it begins in its file
	ordinal int    // its number in its group, from 1
}

// parseEvent reads the header. Events within a compressed transaction have no checksum.
func parseEvent(raw []byte, checksum bool) (event, error) {
	c := cursor{rest: raw}
	var e event
	e.timestamp = uint32(c.little(4))
	e.kind = replication.EventType(c.u8())
	e.server = uint32(c.little(4))
	e.size = uint32(c.little(4))
	e.end = uint32(c.little(4))
	e.flags = uint16(c.little(2))
	e.body = c.rest
	if c.failed {
		return e, errShort
	}
	if uint64(e.size) != uint64(len(raw)) {
		return e, errors.New("its size is not what its header says")
	}
	if checksum {
		if len(e.body) < replication.BinlogChecksumLength {
			return e, errShort
		}
		e.body = e.body[:len(e.body)-replication.BinlogChecksumLength]
	}
	return e, nil
}
