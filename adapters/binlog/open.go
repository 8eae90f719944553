package binlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"banyan.dev/banyan/mirror/change"
)

// Open goes on from a position. On another server than the position's own, it does so by the position's GTIDs.
func (s *Source) Open(ctx context.Context, from change.Position) (change.Stream, error) {
	opened, err := s.openStream(ctx, from)
	if err != nil {
		return nil, judge(fmt.Errorf("read the legacy's log from %s: %w", from, err))
	}
	return opened, nil
}

func (s *Source) openStream(ctx context.Context, from change.Position) (*stream, error) {
	if from.IsZero() {
		return nil, errors.New("there is no position")
	}
	asked, found, err := s.ask(ctx)
	if err != nil {
		return nil, err
	}
	defer asked.close()
	conn := asked.Conn
	known, err := s.knownCharsets(ctx, conn, found)
	if err != nil {
		return nil, err
	}
	passed, err := parseGTIDs(found.mariadb, from.GTIDs)
	if err != nil {
		return nil, &change.StopError{What: "the mirror's position is not of this kind of server", Fix: resetFix, Cause: err}
	}
	at := s.newStream(found, known, passed)
	what := dump{gtids: from.GTIDs}
	at.place.loose = true
	if from.Server == found.identity && !from.ByGTIDs {
		at.place.loose = false
		if err := check(ctx, conn, found, from, passed); err != nil {
			return nil, err
		}
		if err := at.place.enter(from.File, from.Offset); err != nil {
			return nil, err
		}
		if from.GTIDs == "" {
			if err := at.findGTIDs(ctx, conn, from); err != nil {
				return nil, err
			}
			from.GTIDs = at.gtids.String()
		}
		what, at.placed = dumpFrom(from), true
		at.seeking = what.file == ""
	} else if passed.empty() {
		return nil, &change.StopError{
			What: fmt.Sprintf("the legacy is another server (%s) than the mirror's position is of (%s), which has no GTIDs", found.identity, from.Server), Fix: resetFix,
		}
	}
	if at.id, err = s.replicaID(ctx, conn, found); err != nil {
		return nil, err
	}
	at.link = s.newLink(found, at.id, what)
	if err := at.connect(ctx, at.link, what); err != nil {
		return nil, err
	}
	s.log.Info("reading the legacy's log", "server", found.identity, "version", found.version, "from", from.String(), "by_gtids", what.file == "")
	return at, nil
}

// check looks whether the server still has the log that a position is of. A server that was restored from a backup may
// have another one under the same name.
func check(ctx context.Context, conn *sql.Conn, found server, from change.Position, passed *gtids) error {
	logs, err := allRows(ctx, conn, "SHOW BINARY LOGS")
	if err != nil {
		return err
	}
	gone := &change.StopError{What: fmt.Sprintf("the legacy no longer has the log %s where the mirror has to go on", from.File), Fix: resetFix}
	for _, row := range logs {
		if len(row) < 2 || row[0] != from.File {
			continue
		}
		size, err := strconv.ParseUint(row[1], 10, 64)
		if err != nil {
			return fmt.Errorf("read the size of %s: %w", from.File, err)
		}
		if size < from.Offset {
			return &change.StopError{What: fmt.Sprintf("the legacy's log %s ends at %d, before the mirror's position %d: the server is another, or was restored", from.File, size, from.Offset), Fix: resetFix}
		}
		gone = nil
	}
	if gone != nil {
		return gone
	}
	// With GTIDs, MariaDB tells below whether the place is theirs, and looking here would keep it from writing meanwhile.
	if !found.mariadb || passed.empty() {
		if err := boundary(ctx, conn, found, from, passed); err != nil {
			return err
		}
	}
	if passed.empty() {
		return nil
	}
	other := &change.StopError{What: fmt.Sprintf("the legacy's log has other transactions before %s than the mirror has read: the server is another, or was restored", from), Fix: resetFix}
	if !found.mariadb {
		var has bool
		if err := conn.QueryRowContext(ctx, "SELECT GTID_SUBSET(?, @@global.gtid_executed)", from.GTIDs).Scan(&has); err != nil {
			return fmt.Errorf("compare GTIDs: %w", err)
		}
		if !has {
			return other
		}
		return nil
	}
	text, err := gtidsAt(ctx, conn, from)
	if err != nil {
		return err
	}
	there, err := parseGTIDs(true, text)
	if err != nil {
		return err
	}
	if !there.same(passed) {
		other.Cause = fmt.Errorf("there are %q, and not %q", text, from.GTIDs)
		return other
	}
	return nil
}

// findGTIDs fills in what a position without GTIDs lacks.
func (s *stream) findGTIDs(ctx context.Context, conn *sql.Conn, from change.Position) error {
	if !s.found.mariadb {
		at, err := s.src.findPassed(ctx, s.found, from, s.gtids)
		if err != nil {
			return fmt.Errorf("find the GTIDs before %s: %w", from, err)
		}
		if at != from {
			return notBoundary(from, nil)
		}
		// Those of files that are gone, and those that are in no file, are before all.
		var purged string
		if err := conn.QueryRowContext(ctx, "SELECT @@global.gtid_purged").Scan(&purged); err != nil {
			return fmt.Errorf("ask for purged GTIDs: %w", err)
		}
		gone, err := parseGTIDs(false, purged)
		if err == nil {
			s.gtids.addAll(gone)
		}
		return err
	}
	text, err := gtidsAt(ctx, conn, from)
	if err != nil {
		return err
	}
	s.gtids, err = parseGTIDs(true, text)
	return err
}

// knownCharsets asks for charsets once for each version of the server.
func (s *Source) knownCharsets(ctx context.Context, conn *sql.Conn, found server) (*charsets, error) {
	s.mu.Lock()
	known := s.charsets
	s.mu.Unlock()
	if known != nil && known.server == found.version {
		return known, nil
	}
	known, err := loadCharsets(ctx, conn, found)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.charsets = known
	s.mu.Unlock()
	return known, nil
}
