package pool

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// Every session runs under these, whatever the server's defaults are, so that a value is stored unchanged or refused.
const sqlMode = "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

// target is what a DSN says: how to connect, and the one statement that sets a session up.
type target struct {
	config *mysql.Config
	setup  string
}

// parseTarget reads the DSN. No error shows any of it, since it has a password.
func parseTarget(dsn, zone string) (target, error) {
	cfg, err := parseDSN(dsn)
	if err != nil {
		return target{}, err
	}
	if err := refuse(cfg, dsn); err != nil {
		return target{}, err
	}
	offset, err := zoneLiteral(zone)
	if err != nil {
		return target{}, err
	}
	setup := setupStatement(cfg, offset)
	cfg.Params = nil // they are in the set-up statement: one round trip less
	cfg.Logger = &mysql.NopLogger{}
	cfg.AllowAllFiles = false
	cfg.CheckConnLiveness = true
	cfg.ClientFoundRows = true
	cfg.ColumnsWithAlias = false
	cfg.InterpolateParams = false
	cfg.MultiStatements = false
	cfg.ParseTime = false
	cfg.RejectReadOnly = false
	return target{config: cfg, setup: setup}, nil
}

// parseDSN wraps the driver's parser, whose errors may quote a password and which panics on one old option.
func parseDSN(dsn string) (cfg *mysql.Config, err error) {
	const want = "want user:password@tcp(host:port)/database?option=value, with the values of options URL-escaped"
	if dsn == "" {
		return nil, errors.New("the legacy's DSN is empty: " + want)
	}
	defer func() {
		if recover() != nil {
			cfg, err = nil, errors.New("the legacy's DSN has the option strict, which go-sql-driver no longer knows: leave it out")
		}
	}()
	cfg, err = mysql.ParseDSN(dsn)
	if err != nil {
		if strings.HasPrefix(err.Error(), "invalid DSN: ") { // fixed texts
			return nil, fmt.Errorf("the legacy's DSN can't be read: %s; %s", strings.TrimPrefix(err.Error(), "invalid DSN: "), want)
		}
		if strings.Contains(err.Error(), "default addr for network") || strings.Contains(dsn, "://") {
			return nil, errors.New("the legacy's DSN can't be read: it is no URL, and the address stands in tcp(…); " + want)
		}
		return nil, errors.New("the legacy's DSN can't be read: the value of an option is not of its kind; " + want)
	}
	switch cfg.Net {
	case "tcp", "tcp4", "tcp6", "unix":
		return cfg, nil
	}
	return nil, errors.New("the legacy's DSN names an unknown network: use tcp(host:port) or unix(/path/of.sock)")
}

// refuse names options that would change what statements mean or when they end.
func refuse(cfg *mysql.Config, dsn string) error {
	if cfg.ReadTimeout != 0 {
		return errors.New("the legacy's DSN sets readTimeout, which would cut long statements without ending them in the server: leave it out; calls have deadlines")
	}
	if c := cfg.Collation; c != "" && !(strings.HasPrefix(c, "utf8mb4_") && plainWord(c)) {
		return errors.New("the legacy's DSN sets a collation that is not of utf8mb4: leave collation out, or name a utf8mb4 one")
	}
	_, query, _ := strings.Cut(dsn[strings.LastIndexByte(dsn, '/')+1:], "?")
	for option := range strings.SplitSeq(query, "&") {
		switch key, val, _ := strings.Cut(option, "="); key {
		case "charset":
			if val != "utf8mb4" {
				return errors.New("the legacy's DSN sets a charset other than utf8mb4: leave charset out; the server converts for columns of other charsets")
			}
		case "timeTruncate":
			return errors.New("the legacy's DSN sets timeTruncate, which would change values: leave it out")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(cfg.Params)) {
		switch name := strings.ToLower(key); {
		case name == "time_zone":
			return errors.New("the legacy's DSN sets time_zone: set legacy.time_zone instead")
		case name == "sql_mode", name == "autocommit", name == "tx_isolation", name == "transaction_isolation", name == "tx_read_only",
			name == "transaction_read_only", name == "completion_type", name == "sql_auto_is_null", name == "sql_select_limit",
			strings.HasPrefix(name, "character_set_"), strings.HasPrefix(name, "collation_"):
			return fmt.Errorf("the legacy's DSN sets %s, which Banyan sets itself: leave it out", name)
		case !plainWord(name):
			return errors.New("the legacy's DSN has an option whose name is no word of letters, digits and underscores: special characters of the password or of values need URL-escaping")
		}
	}
	return nil
}

func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// zoneLiteral gives the value of time_zone. UTC is written as an offset, which needs no zone tables in the server.
func zoneLiteral(zone string) (string, error) {
	switch strings.ToUpper(zone) {
	case "UTC", "ETC/UTC", "GMT", "Z":
		return "+00:00", nil
	case "SYSTEM":
		return "", errors.New("legacy.time_zone is SYSTEM, which Banyan can't know: name the zone, such as Europe/Berlin or +01:00")
	}
	if !regexp.MustCompile(`^([+-][0-9]{1,2}:[0-9]{2}|[A-Za-z][A-Za-z0-9_+\-/]*)$`).MatchString(zone) {
		return "", fmt.Errorf("legacy.time_zone %q is no time zone: want an IANA name such as Europe/Berlin, or an offset such as +01:00", zone)
	}
	return zone, nil
}

// idleWrite is after how many seconds MariaDB ends a connection that sits in a transaction which has changed something and asks
// for nothing: a process that is frozen in one would else keep its rows, its writer mark among them. MySQL has no such thing.
const idleWrite = "10"

// setupStatement sets all of a session in one round trip. The comments are executable ones: each flavour of server knows
// the isolation level by its own name and skips the other's (MySQL Reference Manual, "Comments"; MariaDB, "Comment Syntax").
func setupStatement(cfg *mysql.Config, zone string) string {
	var b strings.Builder
	b.WriteString("SET NAMES utf8mb4")
	if cfg.Collation != "" {
		b.WriteString(" COLLATE " + cfg.Collation)
	}
	b.WriteString(", sql_mode = '" + sqlMode + "', time_zone = '" + zone + "', autocommit = 1")
	b.WriteString(" /*M!100300 , tx_isolation = 'REPEATABLE-READ', idle_write_transaction_timeout = " + idleWrite + " */ /*!50720 , transaction_isolation = 'REPEATABLE-READ' */")
	for _, name := range slices.Sorted(maps.Keys(cfg.Params)) {
		b.WriteString(", " + name + " = " + cfg.Params[name])
	}
	return b.String()
}
