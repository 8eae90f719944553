package binlog

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math"
	"net"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	replica "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"banyan.dev/banyan/mirror/change"
)

// link is one connection on which the server sends its log.
type link struct {
	dialer func(ctx context.Context) (net.Conn, error)
	// silence is how long the server may say nothing.
	silence time.Duration

	flavor string
	syncer *replication.BinlogSyncer
	stream *replication.BinlogStreamer
	// failed is what ended the stream, which is told behind all that came before it.
	failed error
	left   []*replication.BinlogEvent

	mu     sync.Mutex
	cancel context.CancelFunc // of an attempt to connect
	conn   net.Conn
	closed bool
	once   sync.Once
}

// dump asks the server for its log: from a place in a file, or, where file is empty, behind all transactions of a set.
type dump struct {
	file  string
	from  uint32
	gtids string
	brief bool // a heartbeat comes at once, which says that nothing else does
}

// dumpFrom asks for what is behind a place. Within a file, the command has no room for more than 4 GiB. Behind such an
// offset there is only the next file, which is found by the GTIDs, too.
func dumpFrom(at change.Position) dump {
	if at.Offset > math.MaxUint32 {
		return dump{gtids: at.GTIDs}
	}
	return dump{file: at.File, from: uint32(at.Offset)}
}

// newLink makes a link that is not connected.
func (s *Source) newLink(found server, id uint32, what dump) *link {
	l := &link{silence: s.opt.ReadTimeout, flavor: replica.MySQLFlavor}
	l.dialer = func(ctx context.Context) (net.Conn, error) { return s.opt.Dialer(ctx, s.config.Net, s.config.Addr) }
	if what.file == "" {
		// The server first looks through files for the place, and MariaDB says nothing meanwhile.
		l.silence = max(l.silence, time.Minute)
	}
	if found.mariadb {
		l.flavor = replica.MariaDBFlavor
	}
	var encryption *tls.Config
	if found.tls && s.config.TLS != nil {
		encryption = s.config.TLS.Clone()
	}
	beat := s.opt.ReadTimeout / 3
	if what.brief {
		beat = min(beat, 50*time.Millisecond)
	}
	quiet := slog.New(slog.DiscardHandler) // Its errors come back; what it says besides has nothing for people.
	l.syncer = replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: id, Flavor: l.flavor, Host: s.config.Addr, User: s.config.User, Password: s.config.Passwd,
		TLSConfig: encryption, Logger: quiet, Dialer: l.dial,
		Option: func(conn *client.Conn) error {
			if err := sameServer(conn, found); err != nil {
				return err
			}
			return patient(conn)
		},
		// Events are split here and read by Next: few wait in memory.
		RawModeEnabled: true, EventCacheCount: 16, DisableRetrySync: true, DiscardGTIDSet: true,
		// Not its read timeout, which runs while nobody reads, too.
		HeartbeatPeriod: beat,
	})
	return l
}

// patient tells the server how long a full link may stand still, as it does when the sink takes nothing: an hour.
func patient(conn *client.Conn) error {
	_, err := conn.Execute("SET SESSION net_write_timeout = 3600")
	return err
}

// start connects and asks for the log. ctx bounds no more than that.
func (l *link) start(ctx context.Context, what dump) error {
	stop := context.AfterFunc(ctx, l.hangUp)
	var err error
	if what.file == "" {
		var set replica.GTIDSet
		if set, err = replica.ParseGTIDSet(l.flavor, what.gtids); err == nil {
			l.stream, err = l.syncer.StartSyncGTID(set)
		}
	} else {
		l.stream, err = l.syncer.StartSync(replica.Position{Name: what.file, Pos: what.from})
	}
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		l.close()
	}
	return err
}

// dial connects for the syncer, which would also do so to kill its old connection in the server: closing is enough.
func (l *link) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !l.keep(func() { l.cancel = cancel }) {
		return nil, net.ErrClosed
	}
	conn, err := l.dialer(ctx)
	if err != nil {
		return nil, err
	}
	timed := &timedConn{Conn: conn, link: l}
	if !l.keep(func() { l.conn = timed }) {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	return timed, nil
}

// keep notes something for hangUp, unless that was before.
func (l *link) keep(note func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		note()
	}
	return !l.closed
}

// hangUp ends the connection at once, so that whoever waits for the server fails.
func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.cancel != nil {
		l.cancel()
	}
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// close ends the link and waits for the syncer's goroutine.
func (l *link) close() {
	l.hangUp()
	l.once.Do(l.syncer.Close)
}

// event gives what comes next. The streamer by itself may tell an error before events that came earlier.
func (l *link) event(ctx context.Context) (*replication.BinlogEvent, error) {
	if l.failed == nil {
		e, err := l.stream.GetEvent(ctx)
		if err == nil || ctx.Err() != nil {
			return e, err
		}
		l.failed, l.left = err, l.stream.DumpEvents()
	}
	if len(l.left) == 0 {
		return nil, l.failed
	}
	e := l.left[0]
	l.left = l.left[1:]
	return e, nil
}

// heard says that the server has begun to send.
func (l *link) heard(silence time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silence = silence
}

func (l *link) patience() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.silence
}

// timedConn bounds each read by itself: the time that nobody reads, because the sink is slow, does not count.
type timedConn struct {
	net.Conn
	link *link
}

func (c *timedConn) Read(b []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.link.patience())); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// SetReadDeadline is what the syncer does first when it closes. That the connection is closed already is no error to it.
func (c *timedConn) SetReadDeadline(at time.Time) error {
	if err := c.Conn.SetReadDeadline(at); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
