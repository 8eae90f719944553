package binlog

import (
	"encoding/binary"
	"unicode/utf8"

	"banyan.dev/banyan/mirror/change"
)

// arena has what values need besides the event's own bytes. What was taken out of it stays valid when it grows.
type arena struct{ buf []byte }

func (a *arena) reset() { a.buf = a.buf[:0] }

// since gives what was appended behind a length.
func (a *arena) since(n int) []byte { return a.buf[n:len(a.buf):len(a.buf)] }

// read makes a value of text. UTF-8, and ASCII in most charsets, is not copied.
func (c *charset) read(text []byte, a *arena) change.Value {
	if c == nil {
		return change.Value{Kind: change.Bytes, Text: text}
	}
	if c.ascii && isASCII(text) || c.utf8 && utf8.Valid(text) {
		return change.Value{Kind: change.String, Text: text}
	}
	if c.decode != nil {
		n := len(a.buf)
		decoded, ok := c.decode(a.buf, text)
		a.buf = decoded
		if ok {
			return change.Value{Kind: change.String, Text: a.since(n)}
		}
		a.buf = a.buf[:n]
	}
	return change.Value{Kind: change.Garbled, Text: text}
}

func isASCII(text []byte) bool {
	for len(text) >= 8 {
		if binary.LittleEndian.Uint64(text)&0x8080808080808080 != 0 {
			return false
		}
		text = text[8:]
	}
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
