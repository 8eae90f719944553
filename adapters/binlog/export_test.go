package binlog

// LookAhead sets how many bytes of a transaction are kept in memory.
func (s *Source) LookAhead(bytes int) { s.aheadLimit = bytes }
