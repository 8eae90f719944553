package rabbitmq

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"banyan.dev/banyan/mirror/change"
)

// Names of compressions, and their numbers in entries.
const (
	uncompressed = "none"
	byGzip       = "gzip"
	byZstd       = "zstd"
)

const (
	entryPlain  = 0
	entryGzip   = 1
	entryZstd   = 4
	entryOfMany = 0x80
)

// enoughEntry is when a frame is full: more would not be cheaper for the broker, and would wait longer.
const enoughEntry = 128 << 10

// Where the parts of a frame with messages are: its head of 8 bytes, the publisher, and how many entries there are; in an
// entry of many, its id, what it is, and how many messages and bytes it has.
const (
	publishCount = 9
	publishHead  = 13
	manyID       = publishHead
	manyKind     = manyID + 8
	manyCount    = manyKind + 1
	manySize     = manyCount + 2
	manyStored   = manySize + 4
	manyHead     = manyStored + 4
)

// entries puts messages into frames, in place: each frame is begun in what the outlet has pending, and grows there until it
// is full, or until the outlet writes. Its methods are called by one goroutine at a time, save confirmed.
type entries struct {
	exchange string
	batch    int
	most     int // bytes of a frame with several messages
	compress compressor

	open     bool
	start    int    // of the frame
	messages int    // in the frame
	tag      uint64 // of the last message

	mu   sync.Mutex
	sent []stretch // the entries of many that are not confirmed; an entry's id is the tag of its last message
}

// stretch is messages from the first to the last, by their tags.
type stretch struct{ first, last uint64 }

// add appends a message.
func (e *entries) add(dst []byte, m *change.Message) []byte {
	if e.open && len(dst)-e.start+nativeSize(m, e.exchange)+len(m.Body) > e.most {
		dst = e.seal(dst)
	}
	if !e.open {
		dst = e.begin(dst)
	}
	e.tag++
	e.messages++
	if e.batch == 1 {
		dst = binary.BigEndian.AppendUint64(dst, e.tag)
	}
	at := len(dst)
	dst = appendNativeMessage(append(dst, 0, 0, 0, 0), e.exchange, m)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4)) //nolint:gosec // It was checked.
	if len(dst)-e.start >= e.most || e.batch > 1 && e.messages == e.batch {
		dst = e.seal(dst)
	}
	return dst
}

func (e *entries) begin(dst []byte) []byte {
	dst, e.start = beginNative(dst, nativePublish)
	dst = append(dst, publisher, 0, 0, 0, 0)
	if e.batch > 1 {
		dst = append(dst, make([]byte, manyHead-publishHead)...)
	}
	e.open, e.messages = true, 0
	return dst
}

// skip counts a message that goes another way.
func (e *entries) skip() { e.tag++ }

// seal ends the frame that is open, if one is.
func (e *entries) seal(dst []byte) []byte {
	if !e.open {
		return dst
	}
	e.open = false
	frame := dst[e.start:]
	if e.batch == 1 {
		binary.BigEndian.PutUint32(frame[publishCount:], uint32(e.messages)) //nolint:gosec // Bounded by the frame's size.
		return endNative(dst, e.start)
	}
	size := len(frame) - manyHead
	kind := byte(entryPlain)
	if e.compress != nil {
		if packed := e.compress.pack(frame[manyHead:]); len(packed) < size {
			kind = e.compress.kind()
			dst = append(dst[:e.start+manyHead], packed...)
			frame = dst[e.start:]
		}
	}
	binary.BigEndian.PutUint32(frame[publishCount:], 1)
	binary.BigEndian.PutUint64(frame[manyID:], e.tag)
	frame[manyKind] = entryOfMany | kind<<4
	binary.BigEndian.PutUint16(frame[manyCount:], uint16(e.messages))           //nolint:gosec // At most maxBatch.
	binary.BigEndian.PutUint32(frame[manySize:], uint32(size))                  //nolint:gosec // Bounded by the frame's size.
	binary.BigEndian.PutUint32(frame[manyStored:], uint32(len(frame)-manyHead)) //nolint:gosec // The same.
	e.mu.Lock()
	e.sent = append(e.sent, stretch{e.tag - uint64(e.messages) + 1, e.tag}) //nolint:gosec // Never negative.
	e.mu.Unlock()
	return endNative(dst, e.start)
}

// confirmed gives the messages of an entry that was confirmed.
func (e *entries) confirmed(id uint64) (of stretch, found bool) {
	if e.batch == 1 {
		return stretch{id, id}, true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.sent, func(s stretch) bool { return s.last == id })
	if i < 0 {
		return stretch{}, false
	}
	of = e.sent[i]
	e.sent = slices.Delete(e.sent, i, i+1)
	return of, true
}

// compressor packs entries.
type compressor interface {
	// pack gives what is valid until it is called again.
	pack(data []byte) []byte
	kind() byte
}

func newCompressor(name string) (compressor, error) {
	switch name {
	case uncompressed, "":
		return nil, nil //nolint:nilnil // None is needed.
	case byGzip:
		w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
		return &gzipper{writer: w}, err //nolint:wrapcheck // The level is known.
	case byZstd:
		w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<17))
		return &zstder{encoder: w}, err //nolint:wrapcheck // The options are known.
	}
	return nil, fmt.Errorf("%q is no compression: it is none, gzip or zstd", name)
}

type gzipper struct {
	writer *gzip.Writer
	out    sliceWriter
}

func (g *gzipper) kind() byte { return entryGzip }

func (g *gzipper) pack(data []byte) []byte {
	g.out = g.out[:0]
	g.writer.Reset(&g.out)
	_, _ = g.writer.Write(data) // a slice takes all
	_ = g.writer.Close()        // the same
	return g.out
}

type sliceWriter []byte

func (s *sliceWriter) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

type zstder struct {
	encoder *zstd.Encoder
	out     []byte
}

func (z *zstder) kind() byte { return entryZstd }

func (z *zstder) pack(data []byte) []byte {
	z.out = z.encoder.EncodeAll(data, z.out[:0])
	return z.out
}
