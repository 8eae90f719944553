package rabbitmq

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"banyan.dev/banyan/mirror/change"
)

// Whatever a broker says, nothing is read behind its end, and no more memory is taken than it has sent.
func FuzzNativeFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 4, 0, 0x17, 0, 1})
	f.Add([]byte{0, 0, 0, 17, 0, 3, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Add(nativeWhere(nil, 1, "stream"))
	f.Fuzz(func(t *testing.T, text []byte) {
		frame, buffer, err := readNative(bufio.NewReader(bytes.NewReader(text)), nil)
		if err != nil {
			return
		}
		if len(buffer) != len(frame.body.rest) || len(buffer) > len(text) {
			t.Errorf("%d bytes of %d", len(buffer), len(text))
		}
		whereNative(&frame.body, "stream")
		if n := frame.body.count(8); n < 0 || n > len(text) {
			t.Errorf("%d elements in %d bytes", n, len(text))
		}
	})
}

func TestWhatIsNoFrameIsTold(t *testing.T) {
	for name, text := range map[string]string{
		"AMQP 0-9-1": "AMQP\x00\x00\x09\x01", "HTTP": "HTTP/1.1 400 Bad Request", "nothing": "\x00\x00\x00\x00\x00\x00\x00\x00", "another version": "\x00\x00\x00\x04\x00\x17\x00\x63",
	} {
		if _, _, err := readNative(bufio.NewReader(strings.NewReader(text)), nil); !errors.Is(err, errNotNative) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if code := whereNative(&nativeReader{}, "stream"); code == nativeOK || code == nativeNoStream {
		t.Errorf("an empty answer says %v", code)
	}
}

// Entries are confirmed one by one, in whatever order the broker likes; nothing is safe before all before it is.
func TestEntriesAreConfirmed(t *testing.T) {
	e := &entries{exchange: "e", most: enoughEntry, batch: 3}
	w := newWindow(20, 1<<20)
	var out []byte
	for range 7 {
		if !w.enter(1) {
			t.Fatal("no room")
		}
		out = e.add(out, &change.Message{Key: "k", Body: []byte("x")})
	}
	out = e.seal(out)
	if again := e.seal(out); len(again) != len(out) {
		t.Error("a sealed frame was sealed again")
	}
	var ids []uint64
	r := bufio.NewReader(bytes.NewReader(out))
	for {
		f, _, err := readNative(r, nil)
		if err != nil {
			break
		}
		f.body.take(1)
		if n := f.body.u32(); f.command != nativePublish || n != 1 {
			t.Fatalf("command %d, %d entries", f.command, n)
		}
		ids = append(ids, f.body.u64())
		if kind := f.body.take(1)[0]; kind != entryOfMany {
			t.Errorf("kind %x", kind)
		}
		count := f.body.u16()
		if size, stored := f.body.u32(), f.body.u32(); size != stored || int(size) != len(f.body.rest) {
			t.Errorf("%d bytes, %d stored, %d there", size, stored, len(f.body.rest))
		}
		for range count {
			f.body.take(int(f.body.u32()))
		}
		if len(f.body.rest) != 0 {
			t.Errorf("%d bytes behind the messages", len(f.body.rest))
		}
	}
	if len(ids) != 3 || ids[0] != 3 || ids[1] != 6 || ids[2] != 7 {
		t.Fatalf("entries %v", ids)
	}
	for _, step := range []struct{ id, safe uint64 }{{6, 0}, {3, 6}, {7, 7}} {
		of, found := e.confirmed(step.id)
		if !found || !w.confirmEach(of.first, of.last) || w.confirmed() != step.safe {
			t.Errorf("behind %d, %d are safe, want %d", step.id, w.confirmed(), step.safe)
		}
	}
	if _, found := e.confirmed(7); found {
		t.Error("an entry was confirmed twice")
	}
	if w.confirmEach(8, 9) {
		t.Error("what was not sent was confirmed")
	}
}

// A frame is never larger than what the broker takes for certain, unless one message is.
func TestFramesAreBounded(t *testing.T) {
	for _, batch := range []int{1, maxBatch} {
		e := &entries{exchange: "e", most: enoughEntry, batch: batch}
		var out []byte
		for n := range 3000 {
			out = e.add(out, &change.Message{Key: "k", Body: make([]byte, n)})
		}
		out = e.seal(out)
		frames, most := 0, 0
		for len(out) > 0 {
			size := 4 + int(binary.BigEndian.Uint32(out))
			out, frames, most = out[size:], frames+1, max(most, size)
		}
		if most > enoughEntry+manyHead || frames < 30 {
			t.Errorf("%d frames of at most %d bytes", frames, most)
		}
	}
}

func TestAddressesOfStreams(t *testing.T) {
	c := &Connection{URL: "amqp://u:p@broker:5673/shop"}
	secure := &Connection{URL: "amqps://u:p@broker/shop"}
	for _, test := range []struct {
		native Native
		of     *Connection
		want   string
	}{
		{Native{}, c, "amqp broker:5552 shop u p"},
		{Native{Port: 7}, c, "amqp broker:7 shop u p"},
		{Native{}, secure, "amqps broker:5551 shop u p"},
		{Native{URL: "rabbitmq-stream://a:b%40@other/v%2Fw"}, c, "amqp other:5552 v/w a b@"},
		{Native{URL: "rabbitmq-stream+tls://a:b@other/v", Port: 9}, c, "amqps other:9 v a b"},
		{Native{URL: "rabbitmq-stream+tls://a:b@other:1/v", Port: 9}, c, "amqps other:1 v a b"},
	} {
		uri, err := test.native.uri(test.of)
		if got := strings.Join([]string{uri.Scheme, address(uri), uri.Vhost, uri.Username, uri.Password}, " "); err != nil || got != test.want {
			t.Errorf("%+v is %s, %v, want %s", test.native, got, err, test.want)
		}
	}
	if _, err := (&Native{URL: "rabbitmq-stream://u:secret/x@h"}).uri(c); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
