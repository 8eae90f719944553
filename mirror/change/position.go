package change

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Position is a place between two transactions in the log of one server: all before it was read, all behind it was not.
// It is kept in JSON, and opaque to whoever keeps it.
type Position struct {
	// Server identifies the server whose log File is part of. Two positions compare only within one.
	Server string `json:"server"`
	// File is the binary log's name without a directory, such as binlog.000012.
	File string `json:"file"`
	// Offset is the byte in File.
	Offset uint64 `json:"offset"`
	// GTIDs are all transactions before the place, in the server's own notation: 0-1-42 on MariaDB,
	// 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-42 on MySQL. With them, the place is found again on another server.
	GTIDs string `json:"gtids,omitempty"`
	// ByGTIDs says that the log before the place has other transactions than GTIDs, as it may after a failover: reading goes
	// on by GTIDs on this server, too. File and Offset are still where the last transaction ended.
	ByGTIDs bool `json:"by_gtids,omitempty"`
	// Undecided names the XA transactions that are prepared before the place and not decided there, each behind a space, as
	// XAName writes it. Who has read the log up to the place knows them; they are not kept.
	Undecided string `json:"-"`
}

// IsZero says that there is no position yet.
func (p Position) IsZero() bool { return p.File == "" }

// String gives file and offset for people.
func (p Position) String() string {
	if p.IsZero() {
		return "(none)"
	}
	return p.File + ":" + strconv.FormatUint(p.Offset, 10)
}

// FileNumber gives the number that the server counts its files with.
func (p Position) FileNumber() (uint32, error) { return FileNumber(p.File) }

// FileNumber gives the number at the end of a binary log's name: 12 for binlog.000012.
func FileNumber(file string) (uint32, error) {
	i := strings.LastIndexByte(file, '.')
	if i < 0 {
		return 0, fmt.Errorf("%q is no binary log's name: it has no number", file)
	}
	n, err := strconv.ParseUint(file[i+1:], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no binary log's name: %w", file, err)
	}
	return uint32(n), nil
}

// ErrServers says that two positions are of different servers.
var ErrServers = errors.New("the positions are of different servers")

// Compare is -1 when p is before q, 0 when it is the same place, and 1 when it is behind it.
func (p Position) Compare(q Position) (int, error) {
	if p.Server != q.Server {
		return 0, ErrServers
	}
	pn, err := p.FileNumber()
	if err != nil {
		return 0, err
	}
	qn, err := q.FileNumber()
	if err != nil {
		return 0, err
	}
	return cmp.Or(cmp.Compare(pn, qn), cmp.Compare(p.Offset, q.Offset)), nil
}

// MariaDBServer gives what identifies a MariaDB server, as Position.Server has it: there is no unique name of its own.
func MariaDBServer(id uint64, host string, port uint64) string {
	return strconv.FormatUint(id, 10) + "@" + net.JoinHostPort(host, strconv.FormatUint(port, 10))
}
