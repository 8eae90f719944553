package auth

import "crypto/sha256"

// MostWaiting is mostWaiting.
const MostWaiting = mostWaiting

// Forget has keys forget what they have verified.
func Forget(k *Keys) { k.set.Store(&keySet{keys: k.current().keys}) }

// Remembered says how many tokens are remembered, and of how many bytes they are.
func Remembered(k *Keys) (tokens, size int) {
	c := &k.set.Load().verified
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, generation := range []map[[sha256.Size]byte]remembered{c.now, c.last} {
		for _, r := range generation {
			tokens, size = tokens+1, size+r.bytes
		}
	}
	return tokens, size
}

// Remembers says whether a token is remembered.
func Remembers(k *Keys, token string) bool {
	return k.set.Load().verified.get(sha256.Sum256([]byte(token))) != nil
}
