package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// payload is a transaction that MySQL has compressed as a whole (binlog_transaction_compression). It is unpacked while it
// is read.
type payload struct {
	from    io.Reader
	decoder *zstd.Decoder
}

// Fields of a transaction payload event (mysql/binlog/event/codecs/binary.h).
const (
	payloadEnd         = 0
	payloadCompression = 2

	payloadZSTD = 0
	payloadNone = 255
)

var errCompression = errors.New("it is compressed in an unknown way")

func openPayload(body []byte) (*payload, error) {
	c := cursor{rest: body}
	compression := uint64(payloadNone)
	for {
		field := c.packed()
		if field == payloadEnd || c.failed {
			break
		}
		value := cursor{rest: c.packedBytes()}
		if field == payloadCompression {
			compression = value.packed()
		}
		if value.failed {
			return nil, errShort
		}
	}
	if c.failed {
		return nil, errShort
	}
	switch compression {
	case payloadNone:
		return &payload{from: bytes.NewReader(c.rest)}, nil
	case payloadZSTD:
		decoder, err := zstd.NewReader(bytes.NewReader(c.rest), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			return nil, fmt.Errorf("unpack it: %w", err)
		}
		return &payload{from: decoder, decoder: decoder}, nil
	}
	return nil, errCompression
}

// next gives the next event within. They have no checksums.
func (p *payload) next() (event, bool, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(p.from, header[:]); err != nil {
		if p.decoder != nil {
			p.decoder.Close()
		}
		if errors.Is(err, io.EOF) {
			return event{}, false, nil
		}
		return event{}, false, fmt.Errorf("unpack it: %w", err)
	}
	size := binary.LittleEndian.Uint32(header[9:])
	if size < headerSize || size > maxInflated {
		return event{}, false, errShort
	}
	var raw bytes.Buffer
	raw.Write(header[:])
	if _, err := io.CopyN(&raw, p.from, int64(size-headerSize)); err != nil {
		return event{}, false, fmt.Errorf("unpack it: %w", err)
	}
	e, err := parseEvent(raw.Bytes(), false)
	return e, err == nil, err
}
