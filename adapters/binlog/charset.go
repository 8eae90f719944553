package binlog

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// binaryCollation is that of columns that have bytes and no text.
const binaryCollation = 63

// charsets are a server's: which one each collation has, and how to read it.
type charsets struct {
	server     string // its version
	collations map[uint64]*charset
}

// charset makes UTF-8 of text.
type charset struct {
	name string
	// most bytes that a character has, for the length of CHAR and VARCHAR columns.
	most int
	// decode appends text as UTF-8 and tells whether all of it is text. Nil: it is UTF-8 already, or unknown.
	decode func(dst, text []byte) ([]byte, bool)
	utf8   bool
	// ascii says that bytes below 0x80 are ASCII.
	ascii bool
	// tables are asked for when the first table comes that has the charset; nil where none are needed.
	tables *charsetTables
}

// loadCharsets asks the server what it knows. MariaDB has collations with ids of more than a byte.
func loadCharsets(ctx context.Context, conn *sql.Conn, found server) (*charsets, error) {
	sizes, err := allRows(ctx, conn, "SELECT CHARACTER_SET_NAME, MAXLEN FROM information_schema.CHARACTER_SETS")
	if err != nil {
		return nil, fmt.Errorf("ask the legacy for its charsets: %w", err)
	}
	byName := make(map[string]*charset)
	for _, row := range sizes {
		c := &charset{name: row[0]}
		if c.most, err = strconv.Atoi(row[1]); err != nil {
			return nil, fmt.Errorf("read the charset %s: %w", row[0], err)
		}
		if err := c.prepare(ctx, conn); err != nil {
			return nil, err
		}
		byName[c.name] = c
	}
	loaded := &charsets{server: found.version, collations: make(map[uint64]*charset)}
	for _, table := range []string{"COLLATIONS", "COLLATION_CHARACTER_SET_APPLICABILITY"} {
		rows, err := allRows(ctx, conn, "SELECT ID, CHARACTER_SET_NAME FROM information_schema."+table+" WHERE ID IS NOT NULL") //nolint:gosec // Of two constants.
		if isCode(err, errBadField) {
			continue // Only MariaDB 10.10 and later have ids in the second.
		}
		if err != nil {
			return nil, fmt.Errorf("ask the legacy for its collations: %w", err)
		}
		for _, row := range rows {
			id, err := strconv.ParseUint(row[0], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("read the collation %s: %w", row[0], err)
			}
			if c := byName[row[1]]; c != nil {
				loaded.collations[id] = c
			}
		}
	}
	return loaded, nil
}

// of gives a collation's charset. An unknown one can't decode anything.
func (c *charsets) of(collation uint64) *charset {
	if collation == binaryCollation {
		return nil
	}
	if known := c.collations[collation]; known != nil {
		return known
	}
	return &charset{name: "collation " + strconv.FormatUint(collation, 10), most: 1}
}

// prepare finds out how a charset is decoded. Charsets of one byte differ from those that others call by the same name,
// so the server is asked for its table.
func (c *charset) prepare(ctx context.Context, conn *sql.Conn) error {
	switch c.name {
	case "binary":
		return nil
	case "utf8", "utf8mb3", "utf8mb4":
		c.utf8, c.ascii = true, true
		return nil
	case "ascii":
		c.ascii, c.decode = true, func(dst, _ []byte) ([]byte, bool) { return dst, false }
		return nil
	case "ucs2", "utf16":
		c.decode = func(dst, text []byte) ([]byte, bool) { return decodeUTF16(dst, text, binary.BigEndian) }
		return nil
	case "utf16le":
		c.decode = func(dst, text []byte) ([]byte, bool) { return decodeUTF16(dst, text, binary.LittleEndian) }
		return nil
	case "utf32":
		c.decode = decodeUTF32
		return nil
	}
	if c.most == 1 {
		return c.prepareSingle(ctx, conn)
	}
	c.prepareMultibyte()
	return nil
}

func (c *charset) prepareSingle(ctx context.Context, conn *sql.Conn) error {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	var text sql.NullString
	statement := "SELECT HEX(CONVERT(_" + c.name + " X'" + hex.EncodeToString(all[:]) + "' USING utf32))"
	if err := conn.QueryRowContext(ctx, statement).Scan(&text); err != nil {
		if code(err) == 0 {
			return fmt.Errorf("ask the legacy for the charset %s: %w", c.name, err)
		}
		return nil // The server can't say: its text stays undecoded.
	}
	points, err := hex.DecodeString(text.String)
	if err != nil || len(points) != 4*len(all) {
		return nil //nolint:nilerr // As above.
	}
	var table [256]rune
	c.ascii = true
	for i := range table {
		r := rune(binary.BigEndian.Uint32(points[4*i:])) //nolint:gosec // It is checked.
		if r == '?' && i != '?' || r == utf8.RuneError || !utf8.ValidRune(r) {
			r = -1
		}
		if i < 0x80 && r != rune(i) {
			c.ascii = false
		}
		table[i] = r
	}
	c.decode = func(dst, text []byte) ([]byte, bool) {
		for _, b := range text {
			r := table[b]
			if r < 0 {
				return dst, false
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst, true
	}
	return nil
}

func decodeUTF16(dst, text []byte, order binary.ByteOrder) ([]byte, bool) {
	for i := 0; i+1 < len(text); i += 2 {
		r := rune(order.Uint16(text[i:]))
		if r >= 0xd800 && r < 0xdc00 && i+3 < len(text) {
			low := rune(order.Uint16(text[i+2:]))
			if low < 0xdc00 || low > 0xdfff {
				return dst, false
			}
			r, i = 0x10000+(r-0xd800)<<10+(low-0xdc00), i+2
		}
		if !utf8.ValidRune(r) {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, len(text)%2 == 0
}

func decodeUTF32(dst, text []byte) ([]byte, bool) {
	for i := 0; i+3 < len(text); i += 4 {
		r := binary.BigEndian.Uint32(text[i:])
		if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
			return dst, false
		}
		dst = utf8.AppendRune(dst, rune(r))
	}
	return dst, len(text)%4 == 0
}
