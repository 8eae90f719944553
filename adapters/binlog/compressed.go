package binlog

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	"banyan.dev/banyan/mirror/change"
)

// The first byte of a value of MariaDB's COMPRESSED columns (compress_zlib in its sql/field.cc): how it is compressed, whether
// zlib's header is missing, and how many bytes of the length follow, highest first.
const (
	compressedMethod = 0xf0
	compressedNone   = 0x00
	compressedZlib   = 0x80
	compressedRaw    = 0x08
	compressedSize   = 0x07
)

var errCompressed = errors.New("it is compressed in an unknown way")

// compressed reads such a value. An empty one has no bytes at all.
func (c *column) compressed(value []byte, a *arena) (change.Value, error) {
	if len(value) == 0 {
		return c.text.read(value, a), nil
	}
	how := value[0]
	switch how & compressedMethod {
	case compressedNone:
		return c.text.read(value[1:], a), nil
	case compressedZlib:
	default:
		return change.Value{}, errCompressed
	}
	from := cursor{rest: value[1:]}
	size := from.big(int(how & compressedSize))
	if from.failed || size > maxInflated {
		return change.Value{}, errShort
	}
	var reader io.Reader
	if how&compressedRaw != 0 {
		reader = flate.NewReader(bytes.NewReader(from.rest))
	} else {
		var err error
		if reader, err = zlib.NewReader(bytes.NewReader(from.rest)); err != nil {
			return change.Value{}, fmt.Errorf("inflate it: %w", err)
		}
	}
	var out bytes.Buffer // Its own: the arena may have been given away.
	if _, err := io.CopyN(&out, reader, int64(size)); err != nil {
		return change.Value{}, fmt.Errorf("inflate it: %w", err)
	}
	return c.text.read(out.Bytes(), a), nil
}
