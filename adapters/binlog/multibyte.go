package binlog

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// charsetTables are a charset's characters of one, two and three bytes, as the server has them: others know some of the
// charsets' names for something else. -1 is no character.
type charsetTables struct {
	mu     sync.Mutex
	loaded bool
	single [256]rune
	double map[uint16]rune
	// third has those behind 0x8f.
	third map[uint16]rune
}

// prepareMultibyte: one charset is the same everywhere.
func (c *charset) prepareMultibyte() {
	switch c.name {
	case "euckr":
		c.ascii, c.decode = true, func(dst, text []byte) ([]byte, bool) { return decodeBy(korean.EUCKR, dst, text) }
	case "gbk", "sjis", "cp932", "ujis", "eucjpms", "gb2312", "big5", "gb18030":
		c.ascii, c.tables = true, &charsetTables{}
		c.decode = c.decodeByTables
	}
}

// decodeBy leaves undecoded what has no place in Unicode: the library writes U+FFFD for it.
func decodeBy(from encoding.Encoding, dst, text []byte) ([]byte, bool) {
	decoded, err := from.NewDecoder().Bytes(text)
	if err != nil || strings.ContainsRune(string(decoded), utf8.RuneError) {
		return dst, false
	}
	return append(dst, decoded...), true
}

func (c *charset) decodeByTables(dst, text []byte) ([]byte, bool) {
	t := c.tables
	for len(text) > 0 {
		size, r := 1, t.single[text[0]]
		if r < 0 && len(text) >= 2 {
			var ok bool
			code := uint16(text[0])<<8 | uint16(text[1])
			size = 2
			if r, ok = t.double[code]; !ok {
				r = -1
			}
			if r < 0 && text[0] == 0x8f && len(text) >= 3 {
				size = 3
				if r, ok = t.third[uint16(text[1])<<8|uint16(text[2])]; !ok {
					r = -1
				}
			}
			if r < 0 && c.most == 4 && len(text) >= 4 {
				four, ok := decodeBy(simplifiedchinese.GB18030, dst, text[:4])
				if !ok {
					return dst, false
				}
				dst, text = four, text[4:]
				continue
			}
		}
		if r < 0 {
			return dst, false
		}
		dst, text = utf8.AppendRune(dst, r), text[size:]
	}
	return dst, true
}

// load asks the server for the tables, once.
func (c *charset) load(ctx context.Context, from *Source) error {
	if c == nil || c.tables == nil {
		return nil
	}
	t := c.tables
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loaded {
		return nil
	}
	asked, err := from.connect(ctx)
	if err != nil {
		return err
	}
	defer asked.close()
	conn := asked.Conn
	t.double, t.third = make(map[uint16]rune), make(map[uint16]rune)
	singles, err := c.ask(ctx, conn, nil, 0)
	if err != nil {
		return err
	}
	copy(t.single[:], singles)
	for lead := 0x80; lead < 0x100; lead++ {
		if t.single[lead] >= 0 {
			continue
		}
		if err := c.loadBehind(ctx, conn, t.double, []byte{byte(lead)}); err != nil {
			return err
		}
	}
	if c.most == 3 {
		for second := 0xa1; second < 0xff; second++ {
			if err := c.loadBehind(ctx, conn, t.third, []byte{0x8f, byte(second)}); err != nil {
				return err
			}
		}
	}
	t.loaded = true
	return nil
}

func (c *charset) loadBehind(ctx context.Context, conn *sql.Conn, into map[uint16]rune, lead []byte) error {
	const lowest = 0x30
	runes, err := c.ask(ctx, conn, lead, lowest)
	for i, r := range runes {
		if r >= 0 {
			into[uint16(lead[len(lead)-1])<<8|uint16(lowest+i)] = r
		}
	}
	return err
}

// ask gives the characters of all bytes from one on behind a lead.
func (c *charset) ask(ctx context.Context, conn *sql.Conn, lead []byte, lowest int) ([]rune, error) {
	var b strings.Builder
	for last := lowest; last < 0x100; last++ {
		code := append(append([]byte{}, lead...), byte(last))
		separator := ", "
		if last == lowest {
			separator = "SELECT "
		}
		fmt.Fprintf(&b, "%sCONVERT(CONVERT(X'%s' USING %s) USING utf8mb4)", separator, hex.EncodeToString(code), c.name)
	}
	rows, err := allRows(ctx, conn, b.String())
	if err != nil || len(rows) != 1 {
		return nil, fmt.Errorf("ask the legacy for the charset %s: %w", c.name, err)
	}
	runes := make([]rune, len(rows[0]))
	for i, text := range rows[0] {
		r, size := utf8.DecodeRuneInString(text)
		if size == 0 || size != len(text) || r == utf8.RuneError || r == '?' && (len(lead) > 0 || lowest+i != '?') {
			r = -1
		}
		runes[i] = r
	}
	return runes, nil
}
