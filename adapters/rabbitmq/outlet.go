package rabbitmq

import (
	"cmp"
	"net"
	"sync"
	"time"
)

// linger is how long bytes may wait for more after others were written, and enough how many are not waited with. A
// system call for every message costs more than all else that is done for it.
const (
	linger = 500 * time.Microsecond
	enough = 64 << 10
	// mostPart is how much is written at once, and mostSpare what is kept for the next batch: one large message doesn't hold
	// its memory for ever.
	mostPart  = 256 << 10
	mostSpare = 1 << 20
	// parting is how long Close tries to get rid of what is pending.
	parting = time.Second
)

// outlet gathers what is written and hands it to a connection from a goroutine of its own. It is safe for concurrent
// use; what one call appends stays together. An error closes the connection, and all later writes give it.
type outlet struct {
	conn net.Conn
	most int // bytes pending at which writers wait

	// seal finishes what is appended in several steps, before something else is or the connection gets it. Nil: nothing is.
	// Like what append calls, it is called by one goroutine at a time.
	seal func(dst []byte) []byte

	kick chan struct{} // has room for one
	done chan struct{}

	mu      sync.Mutex
	room    sync.Cond
	pending []byte
	urgent  bool
	closed  bool
	err     error
	written uint64
}

func newOutlet(conn net.Conn, most int) *outlet {
	return newSealedOutlet(conn, most, nil)
}

func newSealedOutlet(conn net.Conn, most int, seal func(dst []byte) []byte) *outlet {
	o := &outlet{conn: conn, most: most, seal: seal, kick: make(chan struct{}, 1), done: make(chan struct{})}
	o.room.L = &o.mu
	go o.run()
	return o
}

// Write takes all of p or nothing.
func (o *outlet) Write(p []byte) (int, error) {
	err := o.append(true, func(dst []byte) []byte { return append(dst, p...) })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// append has the bytes appended by add, and lets them wait for more unless they are urgent.
func (o *outlet) append(urgent bool, add func(dst []byte) []byte) error {
	o.mu.Lock()
	for len(o.pending) >= o.most && o.err == nil && !o.closed {
		o.room.Wait()
	}
	if o.err == nil && o.closed {
		o.err = net.ErrClosed
	}
	if o.err != nil {
		defer o.mu.Unlock()
		return o.err
	}
	before := len(o.pending)
	if urgent {
		o.finish()
	}
	o.pending = add(o.pending)
	o.urgent = o.urgent || urgent
	wake := urgent || before == 0 || before < enough && len(o.pending) >= enough
	o.mu.Unlock()
	if wake {
		o.wake()
	}
	return nil
}

// finish has what was begun finished.
func (o *outlet) finish() {
	if o.seal != nil {
		o.pending = o.seal(o.pending)
	}
}

// push has what is pending written now.
func (o *outlet) push() {
	o.mu.Lock()
	wake := len(o.pending) > 0 && !o.urgent
	o.urgent = o.urgent || wake
	o.mu.Unlock()
	if wake {
		o.wake()
	}
}

func (o *outlet) wake() {
	select {
	case o.kick <- struct{}{}:
	default:
	}
}

// idle says whether nothing is pending.
func (o *outlet) idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending) == 0
}

// progress counts the bytes that the connection has taken.
func (o *outlet) progress() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}

func (o *outlet) run() {
	defer close(o.done)
	timer := time.NewTimer(linger)
	defer timer.Stop()
	var spare []byte
	for {
		<-o.kick
		if o.patient() {
			select {
			case <-timer.C:
			case <-o.kick:
			}
		}
		o.mu.Lock()
		o.finish()
		batch, closed := o.pending, o.closed
		o.pending, o.urgent = spare[:0], false
		o.room.Broadcast()
		o.mu.Unlock()
		err := o.write(batch)
		timer.Reset(linger)
		if spare = batch; cap(spare) > mostSpare {
			spare = nil
		}
		if err != nil {
			_ = o.conn.Close() // So that whoever reads learns of it.
		}
		if err != nil || closed {
			return
		}
	}
}

// write hands bytes to the connection, in parts, so that progress is seen on a slow link.
func (o *outlet) write(batch []byte) error {
	var err error
	for len(batch) > 0 && err == nil {
		var n int
		n, err = o.conn.Write(batch[:min(len(batch), mostPart)])
		batch = batch[n:]
		o.mu.Lock()
		o.written += uint64(n) //nolint:gosec // Never negative.
		o.err = cmp.Or(o.err, err)
		o.room.Broadcast()
		o.mu.Unlock()
	}
	return err //nolint:wrapcheck // It is the connection.
}

// patient says whether what is pending may wait for more.
func (o *outlet) patient() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.urgent && !o.closed && len(o.pending) < enough
}

// close writes what is pending, if that goes at once, and closes the connection. It may be called again.
func (o *outlet) close() error {
	o.mu.Lock()
	first := !o.closed
	o.closed = true
	o.room.Broadcast()
	o.mu.Unlock()
	if first {
		_ = o.conn.SetWriteDeadline(time.Now().Add(parting)) // What can't be set is closed already.
		o.wake()
	}
	<-o.done
	return o.conn.Close()
}
