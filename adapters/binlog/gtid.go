package binlog

import (
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

// group is what the log says at the beginning of a transaction: a group of events.
type group struct {
	maria      mariaGTID
	source     string // MySQL: uuid, or uuid:tag
	number     uint64
	committed  time.Time
	standalone bool // MariaDB: one statement, without an end of its own
	prepared   bool // MariaDB: it ends with XA PREPARE
	completed  bool // MariaDB: it is XA COMMIT or XA ROLLBACK
	half       bool // MariaDB: the first half of a two-phase ALTER, or its rollback
	xid        string
}

// id gives the transaction's GTID.
func (g *group) id() string {
	if g.source == "" {
		return string(g.maria.append(nil))
	}
	return g.source + ":" + strconv.FormatUint(g.number, 10)
}

// Flags of MariaDB's GTID event, of Gtid_log_event in its log_event.h.
const (
	mariaStandalone    = 1
	mariaGroupCommit   = 2
	mariaPrepared      = 64
	mariaCompleted     = 128
	mariaExtraStart    = 2
	mariaExtraRollback = 8
)

func parseMariaGTID(e event) (group, error) {
	c := cursor{rest: e.body}
	g := group{committed: time.Unix(int64(e.timestamp), 0).UTC()}
	g.maria.sequence = c.little(8)
	g.maria.domain = uint32(c.little(4))
	g.maria.server = e.server
	flags := c.u8()
	if flags&mariaGroupCommit != 0 {
		c.bytes(8)
	}
	g.standalone = flags&mariaStandalone != 0
	g.prepared = flags&mariaPrepared != 0
	g.completed = flags&mariaCompleted != 0
	if g.prepared || g.completed {
		format := uint32(c.little(4))
		global, branch := int(c.u8()), int(c.u8())
		g.xid = change.XAName(format, c.bytes(global), c.bytes(branch))
	}
	if len(c.rest) > 0 { // MariaDB 10.8 and later; else there is nothing or a filling of zeros
		extra := c.u8()
		g.half = extra&(mariaExtraStart|mariaExtraRollback) != 0
	}
	return g, c.err()
}

var errNoGTID = errors.New("the transaction has no GTID")

func parseGTID(e event) (group, error) {
	if e.kind == kindAnonymous {
		return group{}, errNoGTID
	}
	if e.kind == kindTagged {
		return parseTagged(e)
	}
	c := cursor{rest: e.body}
	c.u8()
	uuid := c.bytes(16)
	g := group{number: c.little(8), committed: time.Unix(int64(e.timestamp), 0).UTC()}
	if c.failed {
		return g, errShort
	}
	g.source = uuidText(uuid)
	if len(c.rest) >= 24 && c.u8() == replication.LogicalTimestampTypeCode {
		c.bytes(16)
		// Microseconds, and a bit that says that the first server's own follow.
		if at := c.little(7) &^ (1 << 55); !c.failed && at != 0 {
			g.committed = time.UnixMicro(int64(at)).UTC()
		}
	}
	return g, nil
}

// parseTagged reads the event of a GTID with a tag, of MySQL 8.3 and later.
func parseTagged(e event) (g group, err error) {
	// go-mysql's decoder indexes without looking.
	defer func() {
		if recover() != nil {
			err = errShort
		}
	}()
	var tagged replication.GtidTaggedLogEvent
	if err := tagged.Decode(e.body); err != nil {
		return g, err
	}
	if len(tagged.SID) != 16 || tagged.GNO <= 0 {
		return g, errShort
	}
	g = group{source: uuidText(tagged.SID), number: uint64(tagged.GNO), committed: time.Unix(int64(e.timestamp), 0).UTC()}
	if tag := tagged.Tag.String(); tag != "" {
		g.source += ":" + tag
	}
	if tagged.ImmediateCommitTimestamp != 0 {
		g.committed = tagged.ImmediateCommitTime().UTC()
	}
	return g, nil
}

func uuidText(b []byte) string {
	var text [36]byte
	hex.Encode(text[:8], b[:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:], b[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

func (g *gtids) pass(one *group) {
	if one.source == "" {
		g.addMaria(one.maria)
	} else {
		g.add(one.source, interval{one.number, one.number})
	}
}
