package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// ServiceStream says whose stream a Mirror is.
type ServiceStream struct {
	// Name is the service's, as in the config. Fences and announcements in the ledger name it.
	Name string
	// Entities are those that the service is told of.
	Entities Entities
}

// The ledger's tables by which a service is told things, and their columns.
const (
	fencesTable        = "fences"
	announcementsTable = "announcements"
)

// mostEntities is how many entities one transaction may change: the mirror holds their ids, some hundred bytes each.
const mostEntities = 1_000_000

// reference names an entity.
type reference struct{ entity, id string }

// touched is an entity that was changed, or is announced.
type touched struct {
	reference
	origin protocol.Origin
	// at is the version of the last change that its event covers, id that event's.
	at change.Version
	tx *change.Transaction
}

// fence is a fence on its way to the service.
type fence struct {
	protocol.Fence
	replyTo string
	at      change.Version
	tx      *change.Transaction
}

// serviceEvents is the handler that sends entities as they are in legacy, and fences. It collects what a transaction
// touches; the pump reads and sends.
type serviceEvents struct {
	*session
	pump *pump

	tx        *change.Transaction
	marked    bool // begins with a writer mark
	writeBack bool // changes a lock
	rowsSeen  map[reference]uint32
	announced map[reference]uint32
	fences    []fence
}

func newServiceEvents(s *session) *serviceEvents {
	return &serviceEvents{session: s, pump: newPump(s)}
}

func (s *serviceEvents) run(ctx context.Context) error { return s.pump.run(ctx) }

func (s *serviceEvents) begin(tx change.Transaction) {
	s.tx, s.marked, s.writeBack, s.fences = &tx, false, false, nil
	s.rowsSeen, s.announced = map[reference]uint32{}, map[reference]uint32{}
}

func (s *serviceEvents) rows(_ context.Context, r *change.Rows) error {
	if r.Table.Schema == s.o.Ledger {
		return s.ledger(r)
	}
	for _, of := range s.o.Service.Entities.Of(r.Table.Schema, r.Table.Name) {
		column := slices.IndexFunc(r.Table.Columns, func(c change.Column) bool { return c.Name == of.Column })
		if column < 0 {
			return &change.StopError{
				What: fmt.Sprintf("the table %s.%s has no column %s (any more), by which its rows tell the %s that they are part of", r.Table.Schema, r.Table.Name, of.Column, of.Entity),
				Fix:  "make the `-- event:` of " + of.Entity + " say what the table has, and start again",
			}
		}
		for i := range r.Rows {
			if err := checkImage(r.Table, &r.Rows[i]); err != nil {
				return err
			}
			for _, image := range [...][]change.Value{r.Rows[i].Before, r.Rows[i].After} {
				if image == nil {
					continue
				}
				id, ok := idText(&image[column])
				if !ok {
					s.o.Logger.Error("a row tells no entity that it is part of: it is left out", "schema", r.Table.Schema, "table", r.Table.Name, "column", of.Column, "transaction", s.tx.ID)
					continue
				}
				s.rowsSeen[reference{of.Entity, id}] = r.First + uint32(i)
			}
		}
		if len(s.rowsSeen) > mostEntities {
			return &change.StopError{
				What: fmt.Sprintf("the transaction %s changes more than %d entities", s.tx.ID, mostEntities),
				Fix:  "banyan mirror reset for this stream, and fill the service anew",
			}
		}
	}
	s.m.watch.count(r.Op, len(r.Rows))
	return nil
}

// idText gives an id as the contract has it: numbers in decimal, texts as they are. NULL is none.
func idText(v *change.Value) (string, bool) {
	switch v.Kind {
	case change.Int, change.BigInt:
		return strconv.FormatInt(int64(v.Num), 10), true //nolint:gosec // It is a signed number.
	case change.Uint, change.BigUint:
		return strconv.FormatUint(v.Num, 10), true
	case change.String, change.Decimal, change.Temporal, change.Instant:
		return string(v.Text), true
	default:
		return "", false
	}
}

// ledger looks at Banyan's own rows.
func (s *serviceEvents) ledger(r *change.Rows) error {
	switch r.Table.Name {
	case writersTable:
		s.marked = s.marked || isMark(r)
	case locksTable:
		s.writeBack = s.marked
	case fencesTable, announcementsTable:
		if r.Op != change.Insert {
			return nil
		}
		for i, row := range r.Rows {
			if text(r.Table, row.After, "service") != s.o.Service.Name {
				continue
			}
			if err := s.told(r.Table, row.After, r.First+uint32(i)); err != nil {
				return fmt.Errorf("the row %s of %s.%s: %w", text(r.Table, row.After, "id"), s.o.Ledger, r.Table.Name, err)
			}
		}
	default:
		s.beatsOf(r)
	}
	return nil
}

// told reads a fence or an announcement.
func (s *serviceEvents) told(t *change.Table, row []change.Value, number uint32) error {
	if t.Name == announcementsTable {
		var ids []string
		if err := json.Unmarshal([]byte(text(t, row, "ids")), &ids); err != nil {
			return fmt.Errorf("ids: %w", err)
		}
		for _, id := range ids {
			s.announced[reference{text(t, row, "entity"), id}] = number
		}
		return nil
	}
	f := fence{replyTo: text(t, row, "reply_to"), at: s.version(number), tx: s.tx}
	f.Fence = protocol.Fence{ID: text(t, row, "id"), Service: s.o.Service.Name, Capability: text(t, row, "capability")}
	if v := find(t, row, "epoch"); v != nil {
		f.Epoch = v.Num
	}
	if err := json.Unmarshal([]byte(text(t, row, "void")), &f.Void); err != nil {
		return fmt.Errorf("void: %w", err)
	}
	s.fences = append(s.fences, f)
	return nil
}

func (s *serviceEvents) version(number uint32) change.Version {
	return change.Version{Epoch: s.encoder.epoch, File: s.tx.File, Offset: s.tx.Offset, Row: number}
}

func (s *serviceEvents) statement(_ context.Context, e *change.Statement) error {
	if e.Schema == s.o.Ledger || e.Op == change.Create || e.Op == change.Alter {
		return nil
	}
	if e.Table != "" && len(s.o.Service.Entities.Of(e.Schema, e.Table)) == 0 && len(s.o.Service.Entities.Of(e.ToSchema, e.ToTable)) == 0 {
		return nil
	}
	return &change.StopError{
		What: fmt.Sprintf("a statement changed the table %s.%s as a whole (%s), and nobody can tell which entities: %.200s", e.Schema, e.Table, e.Op, e.SQL),
		Fix:  fmt.Sprintf("once the table is as it should be, go on behind the statement with banyan mirror reset --name %s, and fill the service %s anew", s.o.Name, s.o.Service.Name),
	}
}

func (s *serviceEvents) end(ctx context.Context, e *change.End) error {
	s.m.watch.readTo(e.Next)
	w := work{next: e.Next, at: e.At, fences: s.fences}
	if s.tx != nil && len(s.rowsSeen)+len(s.announced) > 0 {
		origin := protocol.OriginForeign
		switch {
		case s.writeBack:
			origin = protocol.OriginWriteBack
		case s.marked:
			origin = protocol.OriginLegacy
		}
		w.touched = make([]touched, 0, len(s.rowsSeen)+len(s.announced))
		for ref, number := range s.rowsSeen {
			t := touched{ref, origin, s.version(number), s.tx}
			if last, too := s.announced[ref]; too {
				t.origin, t.at = protocol.OriginAnnounce, s.version(max(number, last))
			}
			w.touched = append(w.touched, t)
		}
		for ref, number := range s.announced {
			if _, too := s.rowsSeen[ref]; !too {
				w.touched = append(w.touched, touched{ref, protocol.OriginAnnounce, s.version(number), s.tx})
			}
		}
	}
	s.tx, s.rowsSeen, s.announced, s.fences = nil, nil, nil, nil
	return s.pump.put(ctx, w)
}

// weight orders origins: of changes that share an event, the greatest says what the event is.
func weight(o protocol.Origin) int {
	switch o {
	case protocol.OriginAnnounce:
		return 3
	case protocol.OriginLegacy:
		return 2
	case protocol.OriginForeign:
		return 1
	default:
		return 0
	}
}

// compareVersions orders versions as their texts are ordered.
func compareVersions(a, b change.Version) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.File, b.File), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Row, b.Row))
}

// eventID gives the id of what a row of a transaction gave rise to; number 0 never occurs.
func eventID(tx *change.Transaction, v change.Version, of string) string {
	return tx.ID + ":" + strconv.FormatUint(uint64(min(v.Row, math.MaxUint32)), 10) + ":" + of
}
