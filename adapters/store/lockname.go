package store

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// longestLock is the most characters that the name of a lock can have (MySQL Reference Manual, "Locking Functions").
const longestLock = 64

// lockName gives the name of the lock whose holder leads. The server compares such names without case and for all schemas
// together; where that could mix two of them, a digest stands for the names.
func lockName(schema, mirror string) string {
	plain := "banyan/" + schema + "/" + mirror
	if len(plain) <= longestLock && plain == strings.ToLower(plain) {
		return plain
	}
	sum := sha256.Sum256([]byte(schema + "/" + mirror))
	return "banyan/" + hex.EncodeToString(sum[:20])
}

// coordinatorLock gives the name of the lock whose holder coordinates. No mirror has a name like that.
func coordinatorLock(schema string) string { return lockName(schema, ":coordinator") }

// migrationsLock gives the name of the lock that those who migrate take turns by.
func migrationsLock(schema string) string { return lockName(schema, ":migrations") }
