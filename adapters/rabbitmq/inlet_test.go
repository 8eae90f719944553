package rabbitmq

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// pieces is a connection that gives what it has in pieces of the given sizes.
type pieces struct {
	net.Conn
	data  []byte
	sizes func() int
}

func (p *pieces) Read(into []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(into, p.data[:min(len(p.data), p.sizes())])
	p.data = p.data[n:]
	return n, nil
}

// still is a clock that stands: no second heartbeat is ever due.
func still() time.Time { return time.Unix(1e9, 0) }

// heard notes what it hears.
type heard []string

func (h *heard) settled(tag uint64, multiple, ok bool) {
	*h = append(*h, fmt.Sprint("settled ", tag, multiple, ok))
}

func (h *heard) returned(code uint16, reason, key string) {
	*h = append(*h, fmt.Sprint("returned ", code, reason, key))
}

func frameOf(kind byte, channel uint16, payload []byte) []byte {
	b, start := beginFrame(nil, kind, channel)
	return endFrame(append(b, payload...), start)
}

func methodOf(channel uint16, id uint32, arguments ...byte) []byte {
	return frameOf(frameMethod, channel, append(binary.BigEndian.AppendUint32(nil, id), arguments...))
}

// However the bytes come, amqp091-go gets all of them but the confirms, and these are heard in their order.
func TestInletTakesConfirmsOutOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			stream, want []byte
			sound, got   heard
			confirming   bool
			beats        bool
		)
		pass := func(frame []byte) { stream, want = append(stream, frame...), append(want, frame...) }
		for range rapid.IntRange(0, 30).Draw(t, "frames") {
			tag, multiple := rapid.Uint64().Draw(t, "tag"), rapid.Bool().Draw(t, "multiple")
			bits := byte(0)
			if multiple {
				bits = 1
			}
			arguments := append(binary.BigEndian.AppendUint64(nil, tag), bits)
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				confirming = true
				pass(methodOf(3, confirmSelectOk))
			case 1:
				id := rapid.SampledFrom([]uint32{basicAck, basicNack}).Draw(t, "settles")
				frame := methodOf(3, id, arguments...)
				if !confirming {
					pass(frame)
					continue
				}
				if !beats { // In the place of the first one is a heartbeat.
					beats, want = true, append(want, frameOf(frameHeartbeat, 0, nil)...)
				}
				stream = append(stream, frame...)
				sound.settled(tag, multiple, id == basicAck)
			case 2:
				pass(methodOf(2, basicAck, arguments...)) // another channel's
			case 3:
				method := appendShort(appendShort(appendShort([]byte{1, 56}, "NO_ROUTE"), "e"), "a.key")
				pass(methodOf(3, basicReturn, method...))
				if confirming {
					sound.returned(312, "NO_ROUTE", "a.key")
				}
			case 4:
				pass(frameOf(frameBody, 3, bytes.Repeat([]byte{frameEnd}, rapid.IntRange(0, 9000).Draw(t, "size"))))
			case 5:
				pass(frameOf(8, 0, nil))
			}
		}
		in := &inlet{conn: &pieces{data: stream, sizes: func() int { return rapid.IntRange(1, 3000).Draw(t, "piece") }}, confirms: &got, now: still}
		var out []byte
		for {
			p := make([]byte, rapid.IntRange(1, 5000).Draw(t, "asked"))
			n, err := in.Read(p)
			out = append(out, p[:n]...)
			if errors.Is(err, io.EOF) {
				break
			}
		}
		if !bytes.Equal(out, want) {
			t.Fatalf("%d bytes came through, want %d, or they differ", len(out), len(want))
		}
		if fmt.Sprint(got) != fmt.Sprint(sound) {
			t.Fatalf("heard %v, want %v", got, sound)
		}
	})
}

// What is no AMQP goes through as it is: amqp091-go knows what to say about it.
func FuzzInlet(f *testing.F) {
	f.Add([]byte("AMQP\x00\x00\x09\x01"), 3)
	f.Add(methodOf(1, confirmSelectOk), 1)
	f.Add(append(methodOf(1, confirmSelectOk), methodOf(1, basicReturn, 0, 1, 255)...), 5)
	f.Add(append(methodOf(1, confirmSelectOk), methodOf(1, basicAck)...), 100)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		var got heard
		in := &inlet{conn: &pieces{data: data, sizes: func() int { return max(1, size) }}, confirms: &got, now: still}
		out, err := io.ReadAll(in)
		if err != nil || len(out) > len(data) {
			t.Errorf("%d bytes of %d came through: %v", len(out), len(data), err)
		}
	})
}
