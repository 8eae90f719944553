package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"banyan.dev/banyan/mirror/change"
)

// encode gives a position as JSON, or NULL for none.
func encode(p change.Position) (sql.NullString, error) {
	if p.IsZero() {
		return sql.NullString{}, nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return sql.NullString{}, fmt.Errorf("write the position %s as JSON: %w", p, err)
	}
	return sql.NullString{String: string(text), Valid: true}, nil
}

// decode reads what encode wrote. What it does not understand whole it refuses: going on from a wrong place loses changes.
func decode(text sql.NullString) (p change.Position, err error) {
	if !text.Valid {
		return p, nil
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text.String)))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return change.Position{}, err
	}
	if d.More() {
		return change.Position{}, errors.New("there is more than one value")
	}
	if p.Server == "" {
		return change.Position{}, errors.New("it names no server")
	}
	if _, err := p.FileNumber(); err != nil {
		return change.Position{}, err
	}
	return p, nil
}
