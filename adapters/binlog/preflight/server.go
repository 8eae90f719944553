package preflight

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// server is what a server says of itself.
type server struct {
	mariadb bool
	version string
	// major and minor are its numbers.
	major, minor int
	variables    map[string]string
	// log is SHOW BINARY LOG STATUS; nil without a log, or without the right to see it. logUnseen tells which.
	log       row
	logUnseen bool
	account   string // quoted, for GRANT
	grants    grants
}

func (s *server) on(variable string) bool {
	v := strings.ToUpper(s.variables[variable])
	return v == "ON" || v == "1" || v == "YES"
}

// has tells whether the server knows a variable.
func (s *server) has(variable string) bool { _, ok := s.variables[variable]; return ok }

// number gives a variable's value, zero when it is none.
func (s *server) number(variable string) float64 {
	n, err := strconv.ParseFloat(s.variables[variable], 64)
	if err != nil {
		return 0
	}
	return n
}

// sameName compares names of schemas or tables.
func (s *server) sameName(a, b string) bool {
	return a == b || s.variables["lower_case_table_names"] != "0" && strings.EqualFold(a, b)
}

// logged gives a name of a schema or table as the log has it. With lower_case_table_names=2 the tables themselves keep theirs.
func (s *server) logged(name string) string {
	if s.variables["lower_case_table_names"] == "0" {
		return name
	}
	return strings.ToLower(name)
}

// atLeast compares versions.
func (s *server) atLeast(major, minor int) bool {
	return s.major > major || s.major == major && s.minor >= minor
}

// product names the server.
func (s *server) product() string {
	if s.mariadb {
		return "MariaDB"
	}
	return "MySQL"
}

// set gives the statement that sets a variable for now and for later. Sessions that are open keep what they have.
func (s *server) set(variable, value string) string {
	if s.mariadb {
		return "SET GLOBAL " + variable + " = " + value + ";\n" + s.configure(variable+" = "+strings.Trim(value, "'"))
	}
	return "SET PERSIST " + variable + " = " + value + ";"
}

// configure gives lines for the configuration file.
func (s *server) configure(lines ...string) string {
	group := "[mysqld]"
	if s.mariadb {
		group = "[mariadbd]"
	}
	return "-- in the server's configuration file:\n" + group + "\n" + strings.Join(lines, "\n")
}

var versionNumbers = regexp.MustCompile(`^(\d+)\.(\d+)`)

// setVersion reads 10.11.6-MariaDB-log and the like. What is no version is 0.0, which is too old.
func (s *server) setVersion(version string) {
	s.version = version
	s.mariadb = strings.Contains(strings.ToLower(version+s.variables["version_comment"]), "mariadb") || s.has("gtid_domain_id")
	if m := versionNumbers.FindStringSubmatch(version); m != nil {
		var errs [2]error
		s.major, errs[0] = strconv.Atoi(m[1])
		s.minor, errs[1] = strconv.Atoi(m[2])
		if errs[0] != nil || errs[1] != nil {
			s.major, s.minor = 0, 0
		}
	}
}

func readServer(ctx context.Context, q queries) (*server, error) {
	s := &server{variables: map[string]string{}}
	// Names of columns and accounts are quoted as the session's mode says.
	if _, err := q.conn.ExecContext(ctx, "SET SESSION sql_mode = ''"); err != nil {
		return nil, fmt.Errorf("set the session's mode: %w", err)
	}
	rows, err := q.all(ctx, "the server's variables", "SHOW GLOBAL VARIABLES")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		s.variables[strings.ToLower(r["variable_name"])] = r["value"]
	}
	s.setVersion(s.variables["version"])

	statement := "SHOW MASTER STATUS"
	if !s.mariadb && s.atLeast(8, 4) {
		statement = "SHOW BINARY LOG STATUS"
	}
	status, err := q.all(ctx, "the binlog's state", statement)
	switch {
	case denied(err):
		s.logUnseen = true
	case err != nil:
		return nil, err
	case len(status) > 0:
		s.log = status[0]
	}

	who, err := q.all(ctx, "the account's name", "SELECT CURRENT_USER() AS account")
	if err != nil {
		return nil, err
	}
	for _, r := range who {
		s.account = quoteAccount(r["account"])
	}
	if rows, err = q.all(ctx, "the account's rights", "SHOW GRANTS"); err != nil {
		return nil, err
	}
	for _, r := range rows {
		for _, line := range r { // Its one column is named after the account.
			s.grants.read(line)
		}
	}
	return s, nil
}
