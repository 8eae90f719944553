package binlog

import "strings"

// query is a statement's text with what it depends on.
type query struct {
	schema string
	text   string
	ansi   bool // double quotes are around names
}

// Status variables of a query event (mysql/binlog/event/statement_events.h).
const (
	statusFlags   = 0
	statusSQLMode = 1
	statusCatalog = 6
	statusAuto    = 3
	statusCharset = 4

	modeANSIQuotes = 4
)

func (s *stream) parseQuery(e event) (query, error) {
	c := cursor{rest: e.body}
	c.bytes(8)
	schema := int(c.u8())
	c.bytes(2)
	status := cursor{rest: c.bytes(int(c.little(2)))}
	q := query{schema: string(c.bytes(schema))}
	c.u8()
	if c.failed {
		return q, errShort
	}
	text := c.rest
	if e.kind == kindMariaQuery {
		var err error
		if text, err = inflate(text); err != nil {
			return q, err
		}
	}
	var client *charset
	for len(status.rest) > 0 {
		switch status.u8() {
		case statusFlags, statusAuto:
			status.bytes(4)
			continue
		case statusSQLMode:
			q.ansi = status.little(8)&modeANSIQuotes != 0
			continue
		case statusCatalog:
			status.bytes(int(status.u8()))
			continue
		case statusCharset:
			client = s.charsets.of(status.little(2))
		}
		break // What comes behind the charset says nothing of the text.
	}
	q.text = string(text)
	if client != nil {
		var own arena
		q.text = string(client.read(text, &own).Text) // As it is where it is no text.
	}
	return q, nil
}

func (s *stream) query(e event) error {
	q, err := s.parseQuery(e)
	if err != nil {
		return err
	}
	switch strings.ToUpper(strings.TrimSpace(q.text)) {
	case "BEGIN":
		s.open = true
		return nil
	case "COMMIT", "ROLLBACK":
		s.leave()
		return nil
	}
	if !s.open {
		s.leave()
	}
	return nil
}
