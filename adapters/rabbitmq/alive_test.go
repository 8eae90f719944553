package rabbitmq

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// steady is a broker that confirms a message every 100 ms and says nothing else, 100 times.
type steady struct {
	net.Conn
	confirmed uint64
}

func (s *steady) Read(p []byte) (int, error) {
	if s.confirmed == 100 {
		return 0, io.EOF
	}
	<-time.After(100 * time.Millisecond)
	s.confirmed++
	frame, start := beginFrame(nil, frameMethod, 1)
	frame = binary.BigEndian.AppendUint32(frame, basicAck)
	frame = binary.BigEndian.AppendUint64(frame, s.confirmed)
	return copy(p, endFrame(append(frame, 0), start)), nil
}

type counted struct{ confirms int }

func (c *counted) settled(uint64, bool, bool)      { c.confirms++ }
func (c *counted) returned(uint16, string, string) {}

// A broker that is busy confirming sends no heartbeats. amqp091-go, which sees no confirms, must not take it for dead.
func TestConfirmsAreSignsOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &counted{}
		in := &inlet{conn: &steady{}, confirms: seen, channel: 1}
		p := make([]byte, 512)
		for last := time.Now(); ; last = time.Now() {
			n, err := in.Read(p)
			if err == io.EOF {
				break
			}
			if err != nil || string(p[:n]) != heartbeat {
				t.Fatalf("got %x, %v", p[:n], err)
			}
			if silent := time.Since(last); silent > 2*signOfLife {
				t.Errorf("nothing for %v", silent)
			}
		}
		if seen.confirms != 100 {
			t.Errorf("%d confirms, want 100", seen.confirms)
		}
	})
}
