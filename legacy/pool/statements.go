package pool

import (
	"database/sql/driver"
	"fmt"
	"strings"

	"banyan.dev/banyan/legacy/value"
)

// prepared is a statement of go-sql-driver; see wire for why its methods have no context.
type prepared interface {
	Query(args []driver.Value) (driver.Rows, error)
	Exec(args []driver.Value) (driver.Result, error)
	Close() error
}

// statement is prepared in the server on one session.
type statement struct {
	sql      string
	prepared prepared
	// columns are those of its latest result.
	columns []value.Column
	// unsure is said of statements that may begin a transaction without saying so.
	unsure     bool
	prev, next *statement
}

// statements are a session's, the most recently used first. The least recently used is closed in the server when there
// are too many.
type statements struct {
	wire  wire
	max   int
	bySQL map[string]*statement
	ring  statement // its next is the most recently used, its prev the least
}

func newStatements(w wire, limit int) *statements {
	s := &statements{wire: w, max: limit, bySQL: make(map[string]*statement)}
	s.ring.prev, s.ring.next = &s.ring, &s.ring
	return s
}

// get gives the statement, preparing it when it isn't. A connection lost meanwhile is driver.ErrBadConn: nothing has run.
func (s *statements) get(sql string) (*statement, error) {
	if st := s.bySQL[sql]; st != nil {
		if s.ring.next != st {
			s.unlink(st)
			s.pushFront(st)
		}
		return st, nil
	}
	unsure, err := vet(sql)
	if err != nil {
		return nil, err
	}
	for len(s.bySQL) >= s.max {
		s.drop(s.ring.prev)
	}
	p, err := s.wire.Prepare(sql)
	if err != nil {
		if connectionLost(err) {
			return nil, fmt.Errorf("%w: %w", driver.ErrBadConn, err)
		}
		return nil, err
	}
	ps, ok := p.(prepared)
	if !ok {
		return nil, fmt.Errorf("the driver's statement %T can't be run directly", p)
	}
	st := &statement{sql: sql, prepared: ps, unsure: unsure}
	s.bySQL[sql] = st
	s.pushFront(st)
	return st, nil
}

// forget drops the statement if it is there, so that it is prepared anew.
func (s *statements) forget(sql string) {
	if st := s.bySQL[sql]; st != nil {
		s.drop(st)
	}
}

// clear drops all.
func (s *statements) clear() {
	for s.ring.prev != &s.ring {
		s.drop(s.ring.prev)
	}
}

func (s *statements) drop(st *statement) {
	s.unlink(st)
	delete(s.bySQL, st.sql)
	_ = st.prepared.Close() // the server answers nothing; a broken connection shows at the next use
}

func (s *statements) unlink(st *statement) {
	st.prev.next, st.next.prev = st.next, st.prev
}

func (s *statements) pushFront(st *statement) {
	st.prev, st.next = &s.ring, s.ring.next
	st.next.prev, s.ring.next = st, st
}

// vet refuses statements that would change the session or its transaction behind the pool's back, and tells which may do
// so by calling stored code.
func vet(sql string) (unsure bool, err error) {
	switch word := firstWord(sql); word {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "ANALYZE", "DESCRIBE", "DESC", "DO", "(":
		return false, nil
	case "BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA", "LOCK", "UNLOCK", "SET", "USE", "PREPARE", "DEALLOCATE", "HANDLER", "KILL", "":
		return false, fmt.Errorf("a statement that starts with %q would change the session: transactions are Banyan's to begin and end", word)
	}
	return true, nil
}

// firstWord gives the first word in upper case, or an opening parenthesis, skipping blanks and comments.
func firstWord(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f\v;")
		var end string
		switch {
		case strings.HasPrefix(sql, "/*!"), strings.HasPrefix(sql, "/*M!"):
			return "/*!" // executable: anything may stand in it
		case strings.HasPrefix(sql, "/*"):
			end = "*/"
		case strings.HasPrefix(sql, "#"), strings.HasPrefix(sql, "--"):
			end = "\n"
		case strings.HasPrefix(sql, "("):
			return "("
		default:
			n := strings.IndexFunc(sql, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' })
			if n < 0 {
				n = len(sql)
			}
			return strings.ToUpper(sql[:n])
		}
		_, rest, found := strings.Cut(sql, end)
		if !found {
			return ""
		}
		sql = rest
	}
}
