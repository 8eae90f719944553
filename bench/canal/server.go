package canal

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"

	"github.com/go-mysql-org/go-mysql/canal"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// Server is the MariaDB whose log is read.
type Server struct {
	// Addr is host:port.
	Addr           string
	User, Password string
}

// Position is a place in the server's log.
type Position struct {
	File   string `json:"file"`
	Offset uint64 `json:"offset"`
}

func (p Position) at() mysql.Position { return mysql.Position{Name: p.File, Pos: uint32(p.Offset)} } //nolint:gosec // go-mysql's own bound

// replica gives a server id for this process: replicas with the same one cut each other off.
func replica() uint32 { return 1001 + rand.Uint32N(1<<30) }

func (s Server) canal(table string) *canal.Config {
	c := canal.NewDefaultConfig()
	c.Addr, c.User, c.Password = s.Addr, s.User, s.Password
	c.Flavor = mysql.MariaDBFlavor
	c.ServerID = replica()
	c.Charset = "utf8mb4"
	c.Dump.ExecutionPath = "" // what is there already is no change
	c.IncludeTableRegex = []string{table}
	c.Logger = slog.New(slog.DiscardHandler)
	return c
}

func (s Server) syncer() (replication.BinlogSyncerConfig, error) {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return replication.BinlogSyncerConfig{}, fmt.Errorf("the server's address: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return replication.BinlogSyncerConfig{}, fmt.Errorf("the server's port: %w", err)
	}
	return replication.BinlogSyncerConfig{
		ServerID: replica(), Flavor: mysql.MariaDBFlavor,
		Host: host, Port: uint16(n), User: s.User, Password: s.Password, Charset: "utf8mb4",
		Logger: slog.New(slog.DiscardHandler),
	}, nil
}
