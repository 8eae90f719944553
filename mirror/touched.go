package mirror

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// reference names an entity by its id; or by a value that leads to it, until the path is followed.
type reference struct {
	entity, id string
	path       *Path // nil for an id
}

// held is what a transaction that is being read has done to an entity.
type held struct {
	row       uint32 // its last
	announced bool
	own       *Path // not nil: a row has had the id, and has it no more
}

// touched is an entity that was changed, or is announced.
type touched struct {
	reference
	origin protocol.Origin
	// at is the version of the last change that its event covers, tx that change's transaction.
	at change.Version
	tx *change.Transaction
	// by tells the origin once the id is known; nil where it is.
	by *author
	// own leads to the id as it is spelled now, where it may be another than it was; nil where it is not.
	own *Path
}

// event gives the id of the event.
func (t *touched) event() string { return eventID(t.tx, t.at, t.entity+"/"+t.id) }

// unreadable says that it can't be read.
func (t *touched) unreadable(stop *change.StopError) Unreadable {
	return Unreadable{
		EntityName: EntityName{t.entity, t.id}, Reason: reasonOf(stop), Fix: stop.Fix, Since: time.Now(),
		Version: t.at.String(), Event: t.event(), Committed: t.tx.Committed, WrittenBack: t.origin == protocol.OriginWriteBack,
	}
}

// author is whose a transaction is.
type author struct {
	marked bool // begins with a writer mark
	// writtenBack are the numbers of entities that a new service's state is put into, see change.WrittenBack.
	writtenBack []uint64
	// told are entities that the service doesn't write.
	told map[string]bool
}

// origin says who has changed an entity in the transaction. What a write-back changes of others, such as the stock behind an
// order, their services have not written themselves.
func (a *author) origin(entity, id string) protocol.Origin {
	switch {
	case !a.marked:
		return protocol.OriginForeign
	case len(a.writtenBack) > 0 && !a.told[entity] && slices.Contains(a.writtenBack, change.WrittenBack(entity, id)):
		return protocol.OriginWriteBack
	default:
		return protocol.OriginLegacy
	}
}

// mostID bounds ids, in bytes.
const mostID = 1024

// idText gives an id as the contract has it: numbers in decimal, texts as they are. NULL is none, and so is an empty text.
func idText(v *change.Value) (string, error) {
	switch v.Kind {
	case change.Null:
		return "", nil
	case change.Int, change.BigInt:
		return strconv.FormatInt(int64(v.Num), 10), nil //nolint:gosec // It is a signed number.
	case change.Uint, change.BigUint:
		return strconv.FormatUint(v.Num, 10), nil
	case change.String, change.Decimal, change.Temporal, change.Instant:
		if len(v.Text) > mostID {
			return "", fmt.Errorf("it has %d bytes, and may have %d", len(v.Text), mostID)
		}
		return string(v.Text), nil
	default:
		return "", errors.New("it is neither a number nor a text that can be read")
	}
}

// valueText gives a value that leads to an entity as text: bytes as they are, all else as ids. There is none where it is NULL.
func valueText(v *change.Value) (value string, none bool, err error) {
	if v.Kind == change.Bytes && len(v.Text) <= mostID {
		return string(v.Text), false, nil
	}
	value, err = idText(v)
	return value, v.Kind == change.Null, err
}

// merge gives each entity once, with its last version and the weightiest origin, in the order of versions. What was written
// back stays apart from what else was changed: a service that has had a change already knows it again by its id, as long as
// that is not covered by a later one's.
func merge(taken []work) []touched {
	if len(taken) == 1 {
		return inOrder(taken[0].touched)
	}
	var all []touched
	for _, w := range taken {
		all = append(all, w.touched...)
	}
	return coalesce(all)
}

// coalesce does what merge does.
func coalesce(several []touched) []touched {
	type told struct {
		reference
		writtenBack bool
	}
	byReference := make(map[told]touched, len(several))
	for _, t := range several {
		of := told{t.reference, t.origin == protocol.OriginWriteBack}
		if t.path != nil { // whose each is shows when its entity is known
			byReference[told{reference: reference{t.path.Entity, t.id + "\x00" + t.at.String(), t.path}}] = t
			continue
		}
		if before, again := byReference[of]; again {
			if weight(before.origin) > weight(t.origin) {
				t.origin = before.origin
			}
			if before.at.Compare(t.at) > 0 {
				t.at, t.tx = before.at, before.tx
			}
			t.own = cmp.Or(t.own, before.own)
		}
		byReference[of] = t
	}
	all := make([]touched, 0, len(byReference))
	for _, t := range byReference {
		all = append(all, t)
	}
	return inOrder(all)
}

// inOrder sorts by versions. What shares one, such as what one announcement names, is in the order of ids: the same each time.
func inOrder(all []touched) []touched {
	slices.SortFunc(all, func(a, b touched) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.entity, b.entity), cmp.Compare(a.id, b.id))
	})
	return all
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
