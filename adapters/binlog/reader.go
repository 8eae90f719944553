package binlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

// reader splits what a link brings into events, and follows where they are.
type reader struct {
	link     *link
	place    place
	checksum bool
	// heard says that an event of the log itself has come. Then silence is how long the next may take.
	heard   bool
	silence time.Duration
	payload *payload
	// seeking says that the place is known to be at the next group, while the server sends the file's beginning.
	seeking bool
	// reach is where reading ends; nil: nowhere.
	reach *change.Position
}

func beginsGroup(kind replication.EventType) bool {
	return kind == kindMariaGTID || kind == kindGTID || kind == kindTagged || kind == kindAnonymous
}

// next gives the next event of the log. Those of a compressed transaction come one by one.
func (r *reader) next(ctx context.Context) (event, error) {
	for {
		if r.payload != nil {
			e, ok, err := r.payload.next()
			if err != nil {
				return e, malformed(r.place.position(""), "a compressed transaction", err)
			}
			if ok {
				e.start = r.place.offset
				return e, nil
			}
			r.payload = nil
		}
		raw, err := r.link.event(ctx)
		if err != nil {
			return event{}, fmt.Errorf("read the legacy's log: %w", err)
		}
		if format, ok := raw.Event.(*replication.FormatDescriptionEvent); ok {
			r.checksum = format.ChecksumAlgorithm == replication.BINLOG_CHECKSUM_ALG_CRC32
		}
		e, err := parseEvent(raw.RawData, r.checksum)
		if err == nil {
			err = r.pass(&e)
		}
		switch {
		case errors.Is(err, errPassed):
		case errors.Is(err, errReached):
			return e, err
		case err != nil:
			return e, malformed(r.place.position(""), "an event", err)
		case e.kind == kindPayload && r.reach == nil:
			if r.payload, err = openPayload(e.body); err != nil {
				return e, malformed(r.place.position(""), "a compressed transaction", err)
			}
		default:
			return e, nil
		}
	}
}

// errPassed says that an event is of the link's own, and not of the log.
var errPassed = errors.New("it is not of the log")

func (r *reader) pass(e *event) error {
	switch e.kind {
	case kindHeartbeat, kindHeartbeat2:
		if r.reached(e) {
			return errReached
		}
		return errPassed
	case kindRotate:
		return r.rotate(e)
	}
	if r.seeking && !beginsGroup(e.kind) {
		return errPassed
	}
	r.seeking = false
	var err error
	if e.start, err = r.place.pass(*e); err != nil {
		return err
	}
	if e.flags&flagArtificial != 0 {
		return errPassed
	}
	if !r.heard && e.kind != kindFormat {
		r.heard = true
		r.link.heard(r.silence)
	}
	return nil
}

// rotate goes to another file. Such an event is also sent, and not in the file, where reading begins.
func (r *reader) rotate(e *event) error {
	c := cursor{rest: e.body}
	offset := c.little(8)
	if c.failed {
		return errShort
	}
	file := string(c.rest)
	r.seeking = r.seeking && file == r.place.file
	moved := r.place.file != file
	if !moved && r.place.offset > offset {
		return errPassed // Where reading begins by GTIDs, it tells the file's beginning.
	}
	if err := r.place.enter(file, offset); err != nil {
		return err
	}
	if !moved {
		return errPassed
	}
	return nil
}
