package binlog

import (
	"context"
	"slices"

	"banyan.dev/banyan/mirror/change"
)

// findPrepared looks for a transaction that was prepared before reading began, from the current group back through all of
// the log. It gives where the last one of that name begins.
func (s *stream) findPrepared(ctx context.Context, xid string) (change.Position, bool, error) {
	asked, err := s.src.askSame(ctx, s.found)
	if err != nil {
		return change.Position{}, false, passing(err)
	}
	defer asked.close()
	logs, err := allRows(ctx, asked.Conn, "SHOW BINARY LOGS")
	if err != nil {
		return change.Position{}, false, passing(err)
	}
	for _, row := range slices.Backward(logs) {
		start := change.Position{Server: s.found.identity, File: row[0], Offset: 4}
		if before(s.current.begins, start) {
			continue
		}
		at, found, err := s.findPreparedIn(ctx, start, xid)
		if err != nil || found {
			return at, found, err
		}
	}
	return change.Position{}, false, nil
}

func (s *stream) findPreparedIn(ctx context.Context, start change.Position, xid string) (at change.Position, found bool, err error) {
	second, err := s.second(ctx, start)
	if err != nil {
		return at, false, err
	}
	defer s.disconnect(second.link)
	var begins change.Position
	for {
		e, err := second.next(ctx)
		switch {
		case truncated(err):
			return at, found, nil
		case err != nil:
			return at, false, passing(err)
		case e.kind == kindRotate:
			return at, found, nil
		case beginsGroup(e.kind):
			begins = second.place.position("")
			begins.Offset = e.start
			if !before(begins, s.current.begins) {
				return at, found, nil
			}
		case e.kind == kindXAPrepare:
			x, err := parseXAPrepare(e.body)
			if err != nil {
				return at, false, err
			}
			if x.xid == xid && !x.onePhase {
				at, found = begins, true
			}
		}
	}
}
