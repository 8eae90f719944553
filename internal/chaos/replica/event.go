package replica

import (
	"encoding/json"
	"fmt"
	"strconv"

	"banyan.dev/banyan/mirror/change"
)

// Delivery is an event as a consumer gets it.
type Delivery struct {
	// ID, Version and Term are the attributes of those names.
	ID, Version, Term string
	// Body is JSON.
	Body []byte
}

// values are a row's, or a key's, by column.
type values map[string]json.RawMessage

// event is a body, as docs/events.md says.
type event struct {
	Op     change.Op `json:"op"`
	Schema string    `json:"schema"`
	Table  string    `json:"table"`
	Key    values    `json:"key"`
	Before values    `json:"before"`
	After  values    `json:"after"`

	To *struct {
		Schema string `json:"schema"`
		Table  string `json:"table"`
	} `json:"to"`
	Statement string `json:"statement"`

	Cause    change.Op `json:"cause"`
	Children []child   `json:"children"`

	Version     string `json:"version"`
	Origin      string `json:"origin"`
	Transaction struct {
		ID  string `json:"id"`
		Row uint32 `json:"row"`
	} `json:"transaction"`

	version change.Version
}

// child is what a foreign key does to another table.
type child struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	Rule   string `json:"rule"`
	// Match and Set are the child's columns with their values before and after; of what hangs on a child in turn there
	// are only the names: its Columns, and those of its own parent that they refer to.
	Match      values   `json:"match"`
	Set        values   `json:"set"`
	Columns    []string `json:"columns"`
	References []string `json:"references"`
	Children   []child  `json:"children"`
}

// decode reads a body and holds it to the attributes that came with it.
func decode(d *Delivery) (*event, error) {
	e := new(event)
	if err := json.Unmarshal(d.Body, e); err != nil {
		return nil, fmt.Errorf("the body of event %s: %w", d.ID, err)
	}
	var err error
	if e.version, err = change.ParseVersion(d.Version); err != nil {
		return nil, fmt.Errorf("the version of event %s: %w", d.ID, err)
	}
	id := e.Transaction.ID + ":" + strconv.FormatUint(uint64(e.Transaction.Row), 10)
	if e.version.Cascade {
		id += "c"
	}
	switch {
	case e.Version != d.Version:
		return nil, fmt.Errorf("event %s has version %s, and %s in its body", d.ID, d.Version, e.Version)
	case id != d.ID:
		return nil, fmt.Errorf("event %s is %s in its body", d.ID, id)
	case e.Transaction.Row != e.version.Row:
		return nil, fmt.Errorf("event %s has version %s", d.ID, d.Version)
	}
	return e, nil
}

// rename gives all schemas that the event names the names that they are rebuilt under.
func (e *event) rename(names map[string]string) {
	rename := func(schema *string) {
		if to, ok := names[*schema]; ok {
			*schema = to
		}
	}
	rename(&e.Schema)
	if e.To != nil {
		rename(&e.To.Schema)
	}
	var within func([]child)
	within = func(children []child) {
		for i := range children {
			rename(&children[i].Schema)
			within(children[i].Children)
		}
	}
	within(e.Children)
}

// isRow says whether the event is of one row, which has a place among the changes of its key.
func (e *event) isRow() bool {
	return e.Op == change.Insert || e.Op == change.Update || e.Op == change.Delete
}
