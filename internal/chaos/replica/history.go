package replica

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sort"

	"banyan.dev/banyan/mirror/change"
)

// history is every event that was seen, in the order of versions, in a few bytes each: a transaction may have millions.
type history struct {
	seed         maphash.Seed
	transactions []seenTransaction
	changes      []seenChange
	last         change.Version
	late         map[change.Version]seenLate
	// keys has the newest change of each key, as an index of changes. Keys are hashed.
	keys map[uint64]int
}

type seenTransaction struct {
	version change.Version // without row
	id      string
	first   int // in changes
}

type seenChange struct {
	row     uint32
	cascade bool
	body    uint64
}

type seenLate struct {
	id   string
	body uint64
}

func newHistory() *history {
	return &history{seed: maphash.MakeSeed(), late: map[change.Version]seenLate{}, keys: map[uint64]int{}}
}

func transactionOf(v change.Version) change.Version {
	v.Row, v.Cascade = 0, false
	return v
}

func (h *history) hash(body []byte) uint64 { return maphash.Bytes(h.seed, body) }

// find gives the event of a version: its transaction's id and its body's hash.
func (h *history) find(v change.Version) (id string, body uint64, found bool) {
	if i, ok := h.place(v); ok {
		t, _ := h.transaction(v)
		return h.transactions[t].id, h.changes[i].body, true
	}
	l, found := h.late[v]
	return l.id, l.body, found
}

// transaction gives the index of a version's transaction, or where it would be.
func (h *history) transaction(v change.Version) (index int, found bool) {
	return slices.BinarySearchFunc(h.transactions, transactionOf(v), func(t seenTransaction, v change.Version) int { return t.version.Compare(v) })
}

// place gives the index of a version's change, or where it would be.
func (h *history) place(v change.Version) (index int, found bool) {
	t, found := h.transaction(v)
	if !found {
		if t < len(h.transactions) {
			return h.transactions[t].first, false
		}
		return len(h.changes), false
	}
	from, to := h.transactions[t].first, len(h.changes)
	if t+1 < len(h.transactions) {
		to = h.transactions[t+1].first
	}
	i := from + sort.Search(to-from, func(i int) bool {
		return !less(h.changes[from+i], v)
	})
	return i, i < to && h.changes[i].row == v.Row && h.changes[i].cascade == v.Cascade
}

func less(c seenChange, v change.Version) bool {
	return cmp.Or(cmp.Compare(c.row, v.Row), cmp.Compare(bit(c.cascade), bit(v.Cascade))) < 0
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// append adds an event that is newer than all others.
func (h *history) append(v change.Version, id string, body uint64) {
	if t := transactionOf(v); len(h.transactions) == 0 || h.transactions[len(h.transactions)-1].version != t {
		h.transactions = append(h.transactions, seenTransaction{version: t, id: id, first: len(h.changes)})
	}
	h.changes = append(h.changes, seenChange{row: v.Row, cascade: v.Cascade, body: body})
	h.last = v
}

// touch says that the newest event changed a key.
func (h *history) touch(key uint64) { h.keys[key] = len(h.changes) - 1 }

// changedSince says whether a key has a change that is newer than a version.
func (h *history) changedSince(key uint64, v change.Version) bool {
	at, _ := h.place(v)
	newest, changed := h.keys[key]
	return changed && newest >= at
}

// key hashes a row's key; a table without one is one key as a whole.
func (h *history) key(schema, table string, names []string, row values) uint64 {
	var m maphash.Hash
	m.SetSeed(h.seed)
	for _, s := range []string{schema, table} {
		_, _ = m.WriteString(s) // never fails
		_ = m.WriteByte(0)
	}
	for _, name := range names {
		_, _ = m.Write(row[name])
		_ = m.WriteByte(0)
	}
	return m.Sum64()
}
