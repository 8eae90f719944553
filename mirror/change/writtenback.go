package change

import (
	"crypto/sha256"
	"encoding/binary"
)

// WrittenBack gives the number that a transaction leaves in the ledger's table locks, by which its reader knows which entity a
// new service's state was put into: of what else the transaction changes, the service of that has to be told. entity is the
// message's full name. The lowest bit is 0, for the writer to change, so that the row differs from what it was; the highest is
// 0, too. Two entities share a number by chance of one in 2^62.
func WrittenBack(entity, id string) uint64 {
	sum := sha256.Sum256([]byte(entity + "\x00" + id))
	return binary.BigEndian.Uint64(sum[:8]) >> 2 << 1
}
