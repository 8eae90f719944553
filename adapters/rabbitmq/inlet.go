package rabbitmq

import (
	"encoding/binary"
	"net"
	"time"
)

// The parts of AMQP 0-9-1 that are read and written here; the numbers are from its specification, and RabbitMQ's extension
// for confirms (https://www.rabbitmq.com/amqp-0-9-1-reference).
const (
	frameMethod = 1
	frameHeader = 2
	frameBody   = 3
	// frameHeartbeat is always empty, and of channel 0.
	frameHeartbeat = 8
	frameEnd       = 0xCE
	// frameEdge is what a frame has around its payload: type, channel and size before it, an end mark behind it.
	frameEdge = 8
	// frameMax is the largest frame that is negotiated; RabbitMQ's own default.
	frameMax = 131072
	// maxShort is the longest short string: a routing key, a name, a message's id.
	maxShort = 255

	classBasic  = 60
	basicReturn = classBasic<<16 | 50
	basicAck    = classBasic<<16 | 80
	basicNack   = classBasic<<16 | 120
	// confirmSelectOk answers confirm.select, on the channel that will have confirms.
	confirmSelectOk = 85<<16 | 11
)

// confirms hears of what becomes of messages, in the order in which the broker tells it, from the goroutine that reads.
type confirms interface {
	// settled says that the broker has taken responsibility for a message, and for all before it when multiple, or, when
	// not ok, that it couldn't.
	settled(tag uint64, multiple, ok bool)
	// returned says that no queue takes a message. It comes before the message is settled.
	returned(code uint16, reason, key string)
}

// inlet reads a connection for amqp091-go and takes the frames out that confirm messages. It is for one goroutine.
type inlet struct {
	conn     net.Conn
	confirms confirms
	now      func() time.Time
	// channel is the one with confirms, 0 until there is one.
	channel uint16

	// heartbeat is when a frame taken out was last replaced by a heartbeat. While the broker confirms it sends no
	// heartbeats, and amqp091-go, which sees no confirms, would take it for dead.
	heartbeat time.Time

	buf  []byte
	next int  // where in buf the unread begins
	pass int  // how much of it is to be handed on
	raw  bool // the other side doesn't speak AMQP: amqp091-go will say so
}

// Read hands on all but the frames taken out.
func (in *inlet) Read(p []byte) (int, error) {
	for in.pass == 0 && !in.raw {
		switch taken, complete := in.frame(in.buf[in.next:]); {
		case taken > 0:
			in.next += taken
			if now := in.now(); now.Sub(in.heartbeat) > time.Second/2 {
				in.heartbeat = now
				in.next -= frameEdge
				in.pass = copy(in.buf[in.next:], []byte{frameHeartbeat, 0, 0, 0, 0, 0, 0, frameEnd})
			}
		case complete > 0:
			in.pass = complete
		case in.raw:
		default:
			if err := in.more(); err != nil {
				return 0, err
			}
		}
	}
	if in.raw {
		in.pass = len(in.buf) - in.next
	}
	if in.pass == 0 {
		return in.conn.Read(p) //nolint:wrapcheck // It is the connection.
	}
	n := copy(p, in.buf[in.next:in.next+in.pass])
	in.next += n
	in.pass -= n
	return n, nil
}

// more reads what there is.
func (in *inlet) more() error {
	if in.next > 0 {
		in.buf = in.buf[:copy(in.buf, in.buf[in.next:])]
		in.next = 0
	}
	if cap(in.buf)-len(in.buf) < 2048 {
		in.buf = append(make([]byte, 0, max(8192, 2*cap(in.buf))), in.buf...)
	}
	n, err := in.conn.Read(in.buf[len(in.buf):cap(in.buf)])
	in.buf = in.buf[:len(in.buf)+n]
	if n > 0 {
		return nil // An error comes again.
	}
	return err //nolint:wrapcheck // It is the connection.
}

// frame looks at the first frame. Either it was taken, or it is complete and of the given size, or more is needed.
func (in *inlet) frame(b []byte) (taken, complete int) {
	if len(b) < frameEdge-1 {
		return 0, 0
	}
	size := int(binary.BigEndian.Uint32(b[3:7]))
	if b[0] == 0 || b[0] > frameHeartbeat || size > frameMax {
		in.raw = true
		return 0, 0
	}
	if len(b) < size+frameEdge {
		return 0, 0
	}
	if b[0] == frameMethod && b[size+frameEdge-1] == frameEnd && in.method(binary.BigEndian.Uint16(b[1:3]), b[7:7+size]) {
		return size + frameEdge, 0
	}
	return 0, size + frameEdge
}

// method says whether a method was for us alone.
func (in *inlet) method(channel uint16, payload []byte) bool {
	if len(payload) < 4 {
		return false
	}
	id, rest := binary.BigEndian.Uint32(payload), payload[4:]
	if id == confirmSelectOk {
		in.channel = channel
	}
	if channel == 0 || channel != in.channel {
		return false
	}
	switch id {
	case basicAck, basicNack:
		if len(rest) != 9 {
			return false
		}
		in.confirms.settled(binary.BigEndian.Uint64(rest), rest[8]&1 != 0, id == basicAck)
		return true
	case basicReturn:
		if len(rest) < 2 {
			return false
		}
		code := binary.BigEndian.Uint16(rest)
		reason, rest := shortString(rest[2:])
		_, rest = shortString(rest) // the exchange
		key, _ := shortString(rest)
		in.confirms.returned(code, reason, key)
	}
	return false // A returned message has content behind it, which amqp091-go reads.
}

// shortString gives a string of at most 255 bytes, and what is behind it.
func shortString(b []byte) (text string, rest []byte) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil
	}
	return string(b[1 : 1+int(b[0])]), b[1+int(b[0]):]
}
