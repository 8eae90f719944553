package flags_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"testing"

	"github.com/twmb/murmur3"
)

// TestHashesInNoShare looks at the keys whose hash lies at the end of all buckets, and at the neighbours that are inside.
func TestHashesInNoShare(t *testing.T) {
	raw := json.RawMessage(definition(`{"fractional":[{"var":"targetingKey"},["live",25],["off",75]]}`))
	d := parse(t, raw)
	e := flagd(t, map[string]json.RawMessage{"orders": raw})
	const least = math.MaxInt32 + 1 // the least signed number's bits
	for hash, outside := range map[uint32]bool{
		math.MaxInt32: true, least: true, least + 1: true,
		math.MaxInt32 - 1: false, least + 2: false, 0: false,
	} {
		key := keyOf(hash)
		if murmur3.StringSum32(key) != hash {
			t.Fatalf("%q is not hashed to %x", key, hash)
		}
		if failed := sameAsFlagd(t, e, "orders", raw, d, key, nil); failed != outside {
			t.Errorf("hash %x: failed is %t", hash, failed)
		}
	}
}

// keyOf finds a key of eight letters and signs that is hashed to what is wanted: the first four are tried, the others
// follow by going through the hash backwards.
func keyOf(hash uint32) string {
	const c1, c2, add = 0xcc9e2d51, 0x1b873593, 0xe6546b64
	h := hash
	h ^= h >> 16
	h *= inverse(0xc2b2ae35)
	h ^= h>>13 ^ h>>26
	h *= inverse(0x85ebca6b)
	h ^= h >> 16
	h ^= 8 // the length
	mixed := bits.RotateLeft32((h-add)*inverse(5), -13)
	for i := 0; ; i++ {
		first := fmt.Sprintf("%04d", i)
		before := bits.RotateLeft32(binary.LittleEndian.Uint32([]byte(first))*c1, 15) * c2
		before = bits.RotateLeft32(before, 13)*5 + add
		block := bits.RotateLeft32((mixed^before)*inverse(c2), -15) * inverse(c1)
		rest := binary.LittleEndian.AppendUint32(nil, block)
		if printable(rest) {
			return first + string(rest)
		}
	}
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// inverse gives what an odd number has to be multiplied by to give 1, modulo 2^32, by Newton's method.
func inverse(n uint32) uint32 {
	x := n
	for range 5 {
		x *= 2 - n*x
	}
	return x
}
