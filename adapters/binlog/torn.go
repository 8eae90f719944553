package binlog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"banyan.dev/banyan/mirror/change"
)

// A server that is killed while it writes a transaction leaves its log torn. MySQL cuts such an end off when it starts again.
// MariaDB leaves it and begins a new file, and has not committed the transaction: the next one gets the same GTID.

// errTorn says that a group was never written to its end.
var errTorn = errors.New("the log's file ends within a transaction")

// truncated says that the server met the end of a file within an event.
func truncated(err error) bool {
	return isCode(err, errBinlog) && strings.Contains(err.Error(), "truncated in the middle of event")
}

// garbage says that the server met bytes that are no event, as a file ends with where the machine lost its power.
func garbage(err error) bool {
	return isCode(err, errBinlog) && (strings.Contains(err.Error(), "bogus data") || strings.Contains(err.Error(), "crc check"))
}

// tears takes the failure of a link. A torn file that others follow is passed over.
func (s *stream) tears(ctx context.Context, cause error) error {
	known := s.placed && !s.place.loose // whether the GTIDs show what is lost
	torn := truncated(cause) || known && garbage(cause)
	if !torn || !s.found.mariadb || s.owner != nil || s.current.begun || s.current.decided {
		return cause
	}
	next, err := s.fileBehind(ctx)
	if err != nil {
		return passing(err)
	}
	if next == "" {
		// The server that is to begin another one may be on its way. Not a code of the server's: it may pass.
		return fmt.Errorf("read the legacy's log, whose newest file is torn at %s: %w: %v", s.place.position(""), errTorn, cause) //nolint:errorlint // See above.
	}
	s.disconnect(s.link)
	if err := s.place.enter(next, 4); err != nil {
		return err
	}
	what := dumpFrom(s.place.position(""))
	s.reader = reader{place: s.place, silence: s.silence, link: s.src.newLink(s.found, s.id, what)}
	if err := s.connect(ctx, s.link, what); err != nil {
		return err
	}
	return s.dropTorn(ctx)
}

// dropTorn forgets the group that the file before this one ends in. The server tells that nothing else was lost there.
func (s *stream) dropTorn(ctx context.Context) error {
	if s.current.begun || s.current.decided || !s.found.mariadb {
		return errNoEnd
	}
	begins, id := s.current.begins, s.current.transaction.ID
	s.current = current{}
	clear(s.tables)
	at := s.place.position(s.gtids.String())
	s.src.log.Warn("the legacy was killed while it wrote to its log: what it did not commit is passed over", "transaction", id, "begins", begins.String(), "next", at.String())
	if !s.placed || s.place.loose {
		return nil // It is not known which there should be.
	}
	asked, err := s.src.askSame(ctx, s.found)
	if err != nil {
		return passing(err)
	}
	defer asked.close()
	text, err := gtidsAt(ctx, asked.Conn, at)
	if err != nil {
		return passing(err)
	}
	there, err := parseGTIDs(true, text)
	if err != nil {
		return err
	}
	if !there.same(s.gtids) {
		return &change.StopError{
			What: fmt.Sprintf("the legacy's log is damaged before %s", at), Fix: resetFix,
			Cause: fmt.Errorf("it has the transactions before %q there, and only those before %q can be read", text, at.GTIDs),
		}
	}
	s.passEnd()
	return nil
}

// fileBehind gives the file of the log that comes after the one that is read, or "".
func (s *stream) fileBehind(ctx context.Context) (string, error) {
	asked, err := s.src.askSame(ctx, s.found)
	if err != nil {
		return "", err
	}
	defer asked.close()
	logs, err := allRows(ctx, asked.Conn, "SHOW BINARY LOGS")
	if err != nil {
		return "", err
	}
	for i, row := range logs[:max(len(logs)-1, 0)] {
		if row[0] == s.place.file {
			return logs[i+1][0], nil
		}
	}
	return "", nil
}
