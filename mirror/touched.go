package mirror

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// reference names an entity.
type reference struct{ entity, id string }

// held is what a transaction that is being read has done to an entity.
type held struct {
	row       uint32 // its last
	announced bool
}

// touched is an entity that was changed, or is announced.
type touched struct {
	reference
	origin protocol.Origin
	// at is the version of the last change that its event covers, tx that change's transaction.
	at change.Version
	tx *change.Transaction
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

// merge gives each entity once, with its last version and the weightiest origin, in the order of versions. What was written
// back stays apart from what else was changed: a service that has had a change already knows it again by its id, as long as
// that is not covered by a later one's.
func merge(taken []work) []touched {
	if len(taken) == 1 {
		return inOrder(taken[0].touched)
	}
	type told struct {
		reference
		writtenBack bool
	}
	byReference := map[told]touched{}
	for _, w := range taken {
		for _, t := range w.touched {
			of := told{t.reference, t.origin == protocol.OriginWriteBack}
			if before, again := byReference[of]; again && weight(before.origin) > weight(t.origin) {
				t.origin = before.origin
			}
			byReference[of] = t
		}
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
