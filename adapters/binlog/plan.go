package binlog

import "strings"

// plan says which events of a group were undone.
type plan struct {
	savepoints []savepoint
	ranges     [][2]int // of events' ordinals, both included
}

type savepoint struct {
	name    string
	ordinal int
}

func (p *plan) undone(ordinal int) bool {
	for _, r := range p.ranges {
		if r[0] <= ordinal && ordinal <= r[1] {
			return true
		}
	}
	return false
}

// set is SAVEPOINT: an older one of that name is no more.
func (p *plan) set(name string, ordinal int) {
	for i, s := range p.savepoints {
		if strings.EqualFold(s.name, name) {
			p.savepoints = append(p.savepoints[:i], p.savepoints[i+1:]...)
			break
		}
	}
	p.savepoints = append(p.savepoints, savepoint{name, ordinal})
}

// undo is ROLLBACK TO: younger savepoints are no more. One that the log doesn't have was set before the first change.
func (p *plan) undo(name string, ordinal int) {
	from, keep := 0, 0
	for i, s := range p.savepoints {
		if strings.EqualFold(s.name, name) {
			from, keep = s.ordinal, i+1
		}
	}
	p.savepoints = p.savepoints[:keep]
	p.ranges = append(p.ranges, [2]int{from, ordinal})
}

// groupEnd says how a group ends.
type groupEnd uint8

const (
	goesOn groupEnd = iota
	ended           // by COMMIT, or by ROLLBACK, which the plan then has
	prepared
)

// follow notes what is undone, and tells whether an event ends the group.
func (s *stream) follow(p *plan, e event) (groupEnd, error) {
	switch e.kind {
	case kindXID:
		return ended, nil
	case kindXAPrepare:
		x, err := parseXAPrepare(e.body)
		if err == nil && x.onePhase {
			return ended, nil
		}
		return prepared, err
	case kindQuery, kindMariaQuery:
	default:
		return goesOn, nil
	}
	q, err := s.parseQuery(e)
	if err != nil {
		return goesOn, err
	}
	switch said := statementOf(q); said.meaning {
	case meansCommit:
		return ended, nil
	case meansRollback:
		p.ranges = append(p.ranges, [2]int{0, e.ordinal})
		return ended, nil
	case meansSavepoint:
		p.set(said.name, e.ordinal)
	case meansUndo:
		p.undo(said.name, e.ordinal)
	}
	return goesOn, nil
}
