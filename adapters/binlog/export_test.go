package binlog

// LookAhead sets how many bytes of a transaction are kept in memory.
func (s *Source) LookAhead(bytes int) { s.aheadLimit = bytes }

// Statement gives the statement that reads the table that was read last behind a place.
func (t *Tables) Statement(after string, limit int) string {
	literals, _ := t.plan.after(after)
	return t.plan.statement(literals, limit)
}
