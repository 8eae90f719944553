package change

import (
	"cmp"
	"errors"
	"fmt"
)

// Version orders all changes of a mirror: of two states of one row, the one with the greater version is the newer.
// It is the same each time a change is read.
type Version struct {
	// Epoch is raised each time the source's log is another: a failover, a reset.
	Epoch uint32
	// File and Offset are where the change's transaction begins in the log: the file's number, and the byte.
	File   uint32
	Offset uint64
	// Row counts the changes of the transaction from 1, those outside the mirror's scope too. What is before all changes
	// of the transaction, such as a row read in a snapshot at its place, has 0.
	Row uint32
	// Cascade marks what a change sets off in other tables, unseen by the log. It comes behind the change itself.
	Cascade bool
}

// versionLength is that of a version's text without the mark of a cascade.
const versionLength = 4 + 1 + 8 + 1 + 12 + 1 + 8

// String gives the version as text of fixed width, such as 0001-0000000c-000000003039-00000007: texts compare as bytes
// the way that versions compare. A cascade has a c behind it.
func (v Version) String() string { return string(v.Append(nil)) }

// Append appends what String gives.
func (v Version) Append(dst []byte) []byte {
	dst = appendHex(dst, uint64(v.Epoch), 4)
	dst = append(dst, '-')
	dst = appendHex(dst, uint64(v.File), 8)
	dst = append(dst, '-')
	dst = appendHex(dst, v.Offset, 12)
	dst = append(dst, '-')
	dst = appendHex(dst, uint64(v.Row), 8)
	if v.Cascade {
		dst = append(dst, 'c')
	}
	return dst
}

func appendHex(dst []byte, n uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		dst = append(dst, "0123456789abcdef"[n>>(4*i)&15])
	}
	return dst
}

// MaxEpoch and MaxOffset are the greatest that a version's text has room for.
const (
	MaxEpoch  = 1<<16 - 1
	MaxOffset = 1<<48 - 1
)

var errVersion = errors.New("a version looks like 0001-0000000c-000000003039-00000007")

// ParseVersion reads what String gives.
func ParseVersion(text string) (Version, error) {
	var v Version
	if len(text) == versionLength+1 && text[versionLength] == 'c' {
		v.Cascade, text = true, text[:versionLength]
	}
	if len(text) != versionLength || text[4] != '-' || text[13] != '-' || text[26] != '-' {
		return Version{}, fmt.Errorf("%q: %w", text, errVersion)
	}
	epoch, ok1 := parseHex(text[:4])
	file, ok2 := parseHex(text[5:13])
	offset, ok3 := parseHex(text[14:26])
	row, ok4 := parseHex(text[27:])
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return Version{}, fmt.Errorf("%q: %w", text, errVersion)
	}
	v.Epoch, v.File, v.Offset, v.Row = uint32(epoch), uint32(file), offset, uint32(row)
	return v, nil
}

func parseHex(text string) (n uint64, ok bool) {
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			n = n<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return n, true
}

// Compare is -1 when v is older than w, 0 when they are the same, and 1 when it is newer.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Epoch, w.Epoch), cmp.Compare(v.File, w.File), cmp.Compare(v.Offset, w.Offset), cmp.Compare(v.Row, w.Row), cascades(v)-cascades(w))
}

func cascades(v Version) int {
	if v.Cascade {
		return 1
	}
	return 0
}
