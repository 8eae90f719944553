package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"banyan.dev/banyan/mirror"
	"banyan.dev/banyan/mirror/change"
)

// eventWriter writes events for people, a line each.
type eventWriter struct {
	colour bool
	full   bool // values in full, and columns that did not change, too
}

// eventBody is what of an event's body a line shows.
type eventBody struct {
	Op        change.Op       `json:"op"`
	Schema    string          `json:"schema"`
	Table     string          `json:"table"`
	Key       json.RawMessage `json:"key"`
	Origin    string          `json:"origin"`
	Committed time.Time       `json:"committed"`
	Read      time.Time       `json:"read"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Statement string          `json:"statement"`
	Children  []eventChild    `json:"children"`
}

// subject gives the table and the key: orders/7, stock/7,DE.
func (b *eventBody) subject() string {
	text := b.Table
	for i, c := range ordered(b.Key) {
		value := string(c.value)
		var plain string
		if json.Unmarshal(c.value, &plain) == nil {
			value = plain
		}
		text += string("/,"[min(i, 1)]) + value
	}
	return text
}

type eventChild struct {
	Table    string       `json:"table"`
	Rule     string       `json:"rule"`
	Children []eventChild `json:"children"`
}

// longestValue is how many characters of a value are shown.
const longestValue = 40

// line gives an event's line, without its end. What is no event of a mirror is shown as it is.
func (w eventWriter) line(m *change.Message) string {
	var body eventBody
	if err := json.Unmarshal(m.Body, &body); err != nil || body.Op == "" {
		return printable(m.Key) + "  " + printable(string(m.Body))
	}
	if body.Op == change.Read {
		body.Committed, body.Origin = body.Read, "backfill"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s  %s", w.paint(dim, body.Committed.UTC().Format("2006-01-02 15:04:05.000")),
		w.paint(opColour(body.Op), fmt.Sprintf("%-8s", printable(string(body.Op)))), w.paint(bold, printable(body.subject())), w.paint(dim, printable(body.Origin)))
	if w.full {
		b.WriteString("  " + w.paint(dim, "id="+printable(m.ID)))
	}
	switch {
	case body.Statement != "":
		b.WriteString("  " + w.cut(printable(body.Statement)))
	case body.Children != nil:
		for _, c := range body.Children {
			b.WriteString("  " + children(c))
		}
	default:
		w.columns(&b, body.Before, body.After)
	}
	return b.String()
}

func children(c eventChild) string {
	text := fmt.Sprintf("%s (%s)", printable(c.Table), printable(c.Rule))
	for _, next := range c.Children {
		text += " > " + children(next)
	}
	return text
}

// columns writes what a row has, or of an update what it changed.
func (w eventWriter) columns(b *strings.Builder, before, after json.RawMessage) {
	old, now := ordered(before), ordered(after)
	if old == nil || now == nil {
		for _, c := range append(old, now...) {
			if w.full || string(c.value) != "null" {
				fmt.Fprintf(b, "  %s=%s", printable(c.name), w.cut(string(c.value)))
			}
		}
		return
	}
	was := make(map[string]json.RawMessage, len(old))
	for _, c := range old {
		was[c.name] = c.value
	}
	for _, c := range now {
		switch prior := was[c.name]; {
		case !bytes.Equal(prior, c.value):
			fmt.Fprintf(b, "  %s: %s → %s", printable(c.name), w.cut(string(prior)), w.cut(string(c.value)))
		case w.full:
			fmt.Fprintf(b, "  %s=%s", printable(c.name), w.cut(string(c.value)))
		}
	}
}

type namedValue struct {
	name  string
	value json.RawMessage
}

// ordered gives an object's members in their order; nil for what is none.
func ordered(object json.RawMessage) []namedValue {
	if len(object) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	out := []namedValue{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil
		}
		var v namedValue
		text, ok := name.(string)
		if !ok || d.Decode(&v.value) != nil {
			return nil
		}
		v.name = text
		out = append(out, v)
	}
	return out
}

func (w eventWriter) cut(text string) string {
	text = printable(text)
	if w.full || utf8.RuneCountInString(text) <= longestValue {
		return text
	}
	return string([]rune(text)[:longestValue]) + "…"
}

func opColour(op change.Op) string {
	switch op {
	case change.Insert:
		return green
	case change.Update:
		return yellow
	case change.Delete, change.Drop, change.Truncate, change.Opaque, mirror.Cascade:
		return red
	default:
		return cyan
	}
}

func (w eventWriter) paint(colour, text string) string {
	return paint(w.colour).in(colour, text)
}

// eventJSON is an event for machines: the context attributes of CloudEvents, and where it stood.
type eventJSON struct {
	RoutingKey string          `json:"routing_key"`
	Offset     int64           `json:"offset"`
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	Type       string          `json:"type"`
	Version    string          `json:"banyanversion,omitempty"`
	Term       string          `json:"banyanterm,omitempty"`
	Data       json.RawMessage `json:"data"`
}

func newEventJSON(m *change.Message, offset int64) eventJSON {
	e := eventJSON{
		RoutingKey: m.Key, Offset: offset, ID: m.ID, Source: m.Source, Type: m.Type,
		Version: m.Version, Term: m.Term, Data: m.Body,
	}
	if !json.Valid(m.Body) { // a foreign message
		e.Data, _ = json.Marshal(string(m.Body)) // a string always is JSON
	}
	return e
}
