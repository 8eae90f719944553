package binlog

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"

	replica "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// link is one connection on which the server sends its log.
type link struct {
	dialer func(ctx context.Context) (net.Conn, error)
	// silence is how long the server may say nothing.
	silence time.Duration

	syncer *replication.BinlogSyncer
	stream *replication.BinlogStreamer

	mu     sync.Mutex
	conn   net.Conn
	closed bool
	once   sync.Once
}

// dump asks the server for its log: from a place in a file, or, where file is empty, behind all transactions of a set.
type dump struct {
	file  string
	from  uint32
	gtids string
}

// open connects and asks for the log. ctx bounds opening only.
func (s *Source) open(ctx context.Context, found server, id uint32, what dump) (*link, error) {
	l := &link{silence: s.opt.ReadTimeout}
	l.dialer = func(ctx context.Context) (net.Conn, error) { return s.opt.Dialer(ctx, s.config.Net, s.config.Addr) }
	if what.file == "" {
		// The server first looks through files for the place, and MariaDB says nothing meanwhile.
		l.silence = max(l.silence, time.Minute)
	}
	flavor := replica.MySQLFlavor
	if found.mariadb {
		flavor = replica.MariaDBFlavor
	}
	var encryption *tls.Config
	if found.tls && s.config.TLS != nil {
		encryption = s.config.TLS.Clone()
	}
	quiet := slog.New(slog.DiscardHandler) // Its errors come back; what it says besides has nothing for people.
	l.syncer = replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: id, Flavor: flavor, Host: s.config.Addr, User: s.config.User, Password: s.config.Passwd,
		TLSConfig: encryption, Logger: quiet, Dialer: l.dial,
		// Events are split here and read by Next: few wait in memory.
		RawModeEnabled: true, EventCacheCount: 16, DisableRetrySync: true, DiscardGTIDSet: true,
		// Not its read timeout, which runs while nobody reads, too.
		HeartbeatPeriod: s.opt.ReadTimeout / 3,
	})
	stop := context.AfterFunc(ctx, l.hangUp)
	var err error
	if what.file == "" {
		var set replica.GTIDSet
		if set, err = replica.ParseGTIDSet(flavor, what.gtids); err == nil {
			l.stream, err = l.syncer.StartSyncGTID(set)
		}
	} else {
		l.stream, err = l.syncer.StartSync(replica.Position{Name: what.file, Pos: what.from})
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// dial connects for the syncer, which would also do so to kill its old connection in the server: closing is enough.
func (l *link) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, net.ErrClosed
	}
	conn, err := l.dialer(ctx)
	if err != nil {
		return nil, err
	}
	l.conn = &timedConn{Conn: conn, link: l}
	return l.conn, nil
}

// hangUp ends the connection at once, so that whoever waits for the server fails.
func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// close ends the link and waits for the syncer's goroutine.
func (l *link) close() {
	l.hangUp()
	l.once.Do(l.syncer.Close)
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
	if err := c.SetReadDeadline(time.Now().Add(c.link.patience())); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}
