package auth

import (
	"crypto/sha256"
	"sync"
)

// mostVerified bounds the tokens that are remembered, in each of two generations, by their bytes. What they say takes some
// times as much.
const mostVerified = 4 << 20

// cache remembers tokens that were verified by one set of keys, by their hashes. What nobody has brought since the
// generation before is forgotten.
type cache struct {
	mu        sync.Mutex
	now, last map[[sha256.Size]byte]remembered
	size      int
}

type remembered struct {
	who   *identity
	bytes int
}

func (c *cache) get(name [sha256.Size]byte) *identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.now[name]; ok {
		return r.who
	}
	r, ok := c.last[name]
	if ok {
		c.keep(name, r)
	}
	return r.who
}

// put remembers a token of so many bytes.
func (c *cache) put(name [sha256.Size]byte, who *identity, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(name, remembered{who, bytes})
}

func (c *cache) keep(name [sha256.Size]byte, r remembered) {
	if c.now == nil || c.size+r.bytes > mostVerified {
		c.now, c.last, c.size = make(map[[sha256.Size]byte]remembered), c.now, 0
	}
	c.now[name] = r
	c.size += r.bytes
}
