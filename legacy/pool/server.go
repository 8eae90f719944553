package pool

import (
	"fmt"
	"strings"
)

// Server says what the legacy runs on.
type Server struct {
	// MariaDB is false for MySQL and what calls itself nothing else.
	MariaDB bool
	Major   int
	Minor   int
	Patch   int
	// Version is the server's own text, such as "10.11.6-MariaDB-log".
	Version string
}

// String gives "MariaDB 10.11.6" or "MySQL 8.4.0".
func (s Server) String() string {
	name := "MySQL"
	if s.MariaDB {
		name = "MariaDB"
	}
	return fmt.Sprintf("%s %d.%d.%d", name, s.Major, s.Minor, s.Patch)
}

// AtLeast tells whether the version is that or newer. It does not look at the flavour.
func (s Server) AtLeast(major, minor int) bool {
	return s.Major > major || s.Major == major && s.Minor >= minor
}

func parseServer(version string) Server {
	s := Server{Version: version, MariaDB: strings.Contains(strings.ToLower(version), "mariadb")}
	// What isn't there stays zero.
	_, _ = fmt.Sscanf(strings.TrimPrefix(version, "5.5.5-"), "%d.%d.%d", &s.Major, &s.Minor, &s.Patch)
	return s
}
