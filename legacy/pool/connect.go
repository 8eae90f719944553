package pool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"banyan.dev/banyan/strangler"
)

// dialer makes connections to one target.
type dialer struct {
	connector driver.Connector
	setup     string
	// maxPacket is the driver's bound on a packet.
	maxPacket int
	lifetime  time.Duration
	limit     int // statements a session keeps
}

type dialedKey struct{}

func newDialer(t target, o Options) (*dialer, error) {
	cfg := t.config.Clone()
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if into, ok := ctx.Value(dialedKey{}).(*net.Conn); ok {
			*into = conn
		}
		return conn, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("the legacy's DSN has options that go-sql-driver can't combine")
	}
	limit := cfg.MaxAllowedPacket
	if limit <= 0 {
		limit = 64 << 20
	}
	return &dialer{connector: connector, setup: t.setup, maxPacket: limit, lifetime: o.MaxLifetime, limit: o.MaxStatements}, nil
}

// open connects without setting the session up. ctx bounds connecting only.
func (d *dialer) open(ctx context.Context) (wire, net.Conn, error) {
	var dialed net.Conn
	conn, err := d.connector.Connect(context.WithValue(ctx, dialedKey{}, &dialed))
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nil, fmt.Errorf("the server did not answer in time: %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	w, ok := conn.(wire)
	if !ok {
		_ = conn.Close() // of no use, whatever it says
		return nil, nil, fmt.Errorf("the driver's connection %T can't be used directly", conn)
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = dialed.SetDeadline(deadline)
	}
	if err != nil {
		_ = w.Close()
		return nil, nil, err
	}
	return w, dialed, nil
}

// connect gives a session that is ready for statements, and what the server says of itself.
func (d *dialer) connect(ctx context.Context) (*session, Server, error) {
	w, dialed, err := d.open(ctx)
	if err != nil {
		return nil, Server{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = dialed.Close() })
	defer stop()
	s, server, err := d.prepareSession(w, dialed)
	if err == nil {
		err = dialed.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = w.Close()
		return nil, Server{}, err
	}
	return s, server, nil
}

func (d *dialer) prepareSession(w wire, dialed net.Conn) (*session, Server, error) {
	if _, err := w.Exec(d.setup, nil); err != nil {
		return nil, Server{}, setupError(err)
	}
	answer, err := firstRow(w, "SELECT CONNECTION_ID(), @@max_allowed_packet, VERSION()", 3)
	if err != nil {
		return nil, Server{}, err
	}
	id, err := strconv.ParseUint(answer[0], 10, 64)
	if err != nil {
		return nil, Server{}, fmt.Errorf("the server's connection id: %w", err)
	}
	packet, err := strconv.Atoi(answer[1])
	if err != nil {
		return nil, Server{}, fmt.Errorf("the server's max_allowed_packet: %w", err)
	}
	now := time.Now()
	age := d.lifetime - time.Duration(rand.Int64N(int64(d.lifetime)/10+1))
	return &session{
		wire: w, net: dialed, id: id, maxPacket: min(packet, d.maxPacket), statements: newStatements(w, d.limit),
		expires: now.Add(age), idleSince: now,
	}, parseServer(answer[2]), nil
}

// firstRow gives the first row of a result of n columns as texts.
func firstRow(w wire, query string, n int) (row []string, err error) {
	rows, err := w.Query(query, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	dest := make([]driver.Value, n)
	if len(rows.Columns()) != n {
		return nil, fmt.Errorf("the server answered %d columns for %d", len(rows.Columns()), n)
	}
	if err := rows.Next(dest); err != nil {
		return nil, err
	}
	for _, v := range dest {
		if b, ok := v.([]byte); ok {
			v = string(b)
		}
		row = append(row, fmt.Sprint(v))
	}
	return row, nil
}

// setupError says what to do about a refused setting. Its text is for the log and for whoever starts the service.
func setupError(err error) error {
	switch {
	case isNumber(err, errUnknownTimeZone):
		return fmt.Errorf("the legacy server has not loaded its time zones, or not this one: load them "+
			"(mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql; for MariaDB mariadb-tzinfo-to-sql), or set legacy.time_zone to an offset such as +01:00: %w", err)
	case isNumber(err, errUnknownVariable):
		return fmt.Errorf("the legacy's DSN sets an option that neither go-sql-driver nor the server knows; look for a typing error: %w", err)
	}
	return err
}

// connectError is what callers are told when no connection can be had.
func connectError(err error) *strangler.Error {
	var reply *mysql.MySQLError
	if errors.As(err, &reply) {
		if e := Translate(err); e.Reason != "LEGACY_ERROR" {
			return e
		}
	}
	return unavailable("the legacy database can't be reached now; try again in a moment").WithCause(err)
}
