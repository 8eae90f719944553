package binlog

import (
	"context"
	"fmt"

	"banyan.dev/banyan/mirror/change"
)

// Servers may have the same transactions in other orders: those of MariaDB's other domains, and on MySQL those of other
// sources. Where reading began by GTIDs, transactions that were passed on the old server may so come behind a place on the
// new one, which sends them no more. Until none does, positions are to be found by GTIDs.

// settler finds out where that ends.
type settler struct {
	seen, next int             // groups, and how many are to be seen before the server is asked again
	behind     change.Position // MySQL: all that was passed is before it, once it is known
}

// settleEvery bounds how many transactions lie between two questions.
const settleEvery = 10_000

// settle gives an End that is found by its place, as soon as there is one.
func (s *stream) settle(ctx context.Context) error {
	settled := false
	if to := s.settler.behind; !to.IsZero() {
		settled = !before(s.place.position(""), to)
	} else if s.settler.seen > s.settler.next {
		// The server may have to read its log to answer: it is asked less and less often.
		s.settler.next = s.settler.seen + min(s.settler.seen, settleEvery)
		var err error
		if settled, err = s.askSettled(ctx); err != nil {
			return passing(err)
		}
	}
	if settled {
		s.place.loose = false
		s.passEnd()
	}
	return nil
}

func (s *stream) askSettled(ctx context.Context) (bool, error) {
	asked, err := s.src.askSame(ctx, s.found)
	if err != nil {
		return false, err
	}
	defer asked.close()
	if s.found.mariadb {
		text, err := gtidsAt(ctx, asked.Conn, s.place.position(""))
		if err != nil {
			return false, err
		}
		there, err := parseGTIDs(true, text)
		return err == nil && there.same(s.gtids), err
	}
	to, err := tail(ctx, asked.Conn, s.found)
	if err != nil {
		return false, err
	}
	executed, err := parseGTIDs(false, to.GTIDs)
	if err != nil {
		return false, fmt.Errorf("read the legacy's GTIDs: %w", err)
	}
	if !executed.has(s.gtids) {
		return false, nil // Some are still on their way to this server.
	}
	s.settler.behind = to
	return !before(s.place.position(""), to), nil
}
