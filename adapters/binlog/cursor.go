package binlog

import (
	"encoding/binary"
	"errors"
)

var errShort = errors.New("it ends too early")

// cursor reads bytes from front to back. After a read beyond the end, failed is set and all reads give zeros: it is
// enough to look at the end.
type cursor struct {
	rest   []byte
	failed bool
}

func (c *cursor) err() error {
	if c.failed {
		return errShort
	}
	return nil
}

func (c *cursor) bytes(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.failed, c.rest = true, nil
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) u8() uint8 {
	if len(c.rest) < 1 {
		c.failed, c.rest = true, nil
		return 0
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b
}

// little reads an integer of at most 8 bytes, lowest first; big has the highest first.
func (c *cursor) little(n int) uint64 {
	if len(c.rest) < n {
		c.failed, c.rest = true, nil
		return 0
	}
	var v uint64
	switch n {
	case 1:
		v = uint64(c.rest[0])
	case 2:
		v = uint64(binary.LittleEndian.Uint16(c.rest))
	case 4:
		v = uint64(binary.LittleEndian.Uint32(c.rest))
	case 8:
		v = binary.LittleEndian.Uint64(c.rest)
	default:
		for i := n - 1; i >= 0; i-- {
			v = v<<8 | uint64(c.rest[i])
		}
	}
	c.rest = c.rest[n:]
	return v
}

func (c *cursor) big(n int) uint64 {
	if len(c.rest) < n {
		c.failed, c.rest = true, nil
		return 0
	}
	var v uint64
	for _, b := range c.rest[:n] {
		v = v<<8 | uint64(b)
	}
	c.rest = c.rest[n:]
	return v
}

// packed reads MySQL's length-encoded integer.
func (c *cursor) packed() uint64 {
	switch first := c.u8(); first {
	case 0xfc:
		return c.little(2)
	case 0xfd:
		return c.little(3)
	case 0xfe:
		return c.little(8)
	case 0xfb, 0xff:
		c.failed, c.rest = true, nil
		return 0
	default:
		return uint64(first)
	}
}

// count is packed for something of which each takes at least one of the bytes that are left.
func (c *cursor) count() int {
	n := c.packed()
	if n > uint64(len(c.rest)) {
		c.failed, c.rest = true, nil
		return 0
	}
	return int(n)
}

// packedBytes reads bytes behind their length.
func (c *cursor) packedBytes() []byte { return c.bytes(c.count()) }
