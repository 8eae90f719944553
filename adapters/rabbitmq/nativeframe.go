package rabbitmq

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// What the two sides say to each other, by the protocol's section "Commands". Answers have the bit nativeAnswer, too.
const (
	nativeDeclarePublisher = 0x01
	nativePublish          = 0x02
	nativeConfirm          = 0x03
	nativePublishError     = 0x04
	nativeMetadata         = 0x0f
	nativeMetadataUpdate   = 0x10
	nativePeerProperties   = 0x11
	nativeSaslHandshake    = 0x12
	nativeSaslAuthenticate = 0x13
	nativeTune             = 0x14
	nativeOpen             = 0x15
	nativeClose            = 0x16
	nativeHeartbeat        = 0x17
	nativeAnswer           = 0x8000
	nativeVersion          = 1
)

// nativeCode is how an answer says that something went well or not.
type nativeCode uint16

// The codes that are told apart here.
const (
	nativeOK            nativeCode = 0x01
	nativeNoStream      nativeCode = 0x02
	nativeUnavailable   nativeCode = 0x06
	nativeNoMechanism   nativeCode = 0x07
	nativeAuthFailure   nativeCode = 0x08
	nativeAuthLoopback  nativeCode = 0x0b
	nativeNoVHost       nativeCode = 0x0c
	nativeAccessRefused nativeCode = 0x10
)

func (c nativeCode) Error() string {
	switch c {
	case nativeNoStream:
		return "the stream does not exist"
	case nativeUnavailable:
		return "the stream is not available"
	case nativeNoMechanism:
		return "no such way to log in"
	case nativeAuthFailure:
		return "authentication failed"
	case nativeAuthLoopback:
		return "the account may log in from the broker's own machine only"
	case nativeNoVHost:
		return "no access to the virtual host"
	case nativeAccessRefused:
		return "access refused"
	case nativeOK:
	}
	return "code " + strconv.Itoa(int(c))
}

// errNotNative says that whoever answers speaks another protocol.
var errNotNative = errors.New("what answers does not speak RabbitMQ's stream protocol")

// mostAnswer bounds what the broker may say at once.
const mostAnswer = 16 << 20

// beginNative appends the head of a frame, whose size endNative puts in.
func beginNative(dst []byte, command uint16) (out []byte, start int) {
	start = len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, command)
	return binary.BigEndian.AppendUint16(dst, nativeVersion), start
}

func endNative(dst []byte, start int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4)) //nolint:gosec // At most the negotiated size.
	return dst
}

func appendNativeString(dst []byte, text string) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(text))) //nolint:gosec // Names and mechanisms are short.
	return append(dst, text...)
}

// nativeRequest appends a request with its correlation id.
func nativeRequest(dst []byte, command uint16, id uint32, rest func(dst []byte) []byte) []byte {
	dst, start := beginNative(dst, command)
	dst = binary.BigEndian.AppendUint32(dst, id)
	if rest != nil {
		dst = rest(dst)
	}
	return endNative(dst, start)
}

// nativeFrame is what the broker says: a command, or the answer to one.
type nativeFrame struct {
	command uint16
	body    nativeReader
}

// readNative reads a frame into buffer, which is given back, perhaps larger. The frame is valid until its next use.
func readNative(r *bufio.Reader, buffer []byte) (nativeFrame, []byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nativeFrame{}, buffer, err //nolint:wrapcheck // The link explains.
	}
	size := binary.BigEndian.Uint32(head[:])
	if version := binary.BigEndian.Uint16(head[6:]); size < 4 || size > mostAnswer || version > 9 {
		return nativeFrame{}, buffer, errNotNative
	}
	if n := int(size) - 4; cap(buffer) < n {
		buffer = make([]byte, n)
	} else {
		buffer = buffer[:n]
	}
	if _, err := io.ReadFull(r, buffer); err != nil {
		return nativeFrame{}, buffer, fmt.Errorf("in the midst of a frame: %w", err)
	}
	return nativeFrame{binary.BigEndian.Uint16(head[4:]), nativeReader{buffer}}, buffer, nil
}

// nativeReader takes a frame's parts, one after the other. Behind its end all are zero.
type nativeReader struct{ rest []byte }

func (r *nativeReader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.rest = nil
		return make([]byte, min(max(n, 0), 8))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *nativeReader) u16() uint16      { return binary.BigEndian.Uint16(r.take(2)) }
func (r *nativeReader) u32() uint32      { return binary.BigEndian.Uint32(r.take(4)) }
func (r *nativeReader) u64() uint64      { return binary.BigEndian.Uint64(r.take(8)) }
func (r *nativeReader) code() nativeCode { return nativeCode(r.u16()) }

func (r *nativeReader) text() string {
	n := int(r.u16())
	if n > len(r.rest) {
		r.rest = nil
		return ""
	}
	return string(r.take(n))
}

// count gives the number of elements of an array, each of which has a size at least.
func (r *nativeReader) count(size int) int {
	return min(int(r.u32()), len(r.rest)/size)
}
