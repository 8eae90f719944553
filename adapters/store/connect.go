package store

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
)

// sqlMode is what our statements are written for, whatever the server's default is.
const sqlMode = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'"

// byFlavour goes on in a SET with what each flavour of server has its own name for, in comments that only that one runs
// (MySQL Reference Manual, "Comments"; MariaDB, "Comment Syntax"): a bound on statements would also end waiting for a lock.
const byFlavour = " /*M!100000 , tx_isolation = 'REPEATABLE-READ', max_statement_time = 0 */" +
	" /*!50720 , transaction_isolation = 'REPEATABLE-READ', max_execution_time = 0 */"

// config reads the DSN and sets all that our statements rely on. None of it comes from the server's own defaults, since a
// legacy's may be anything.
func (o Options) config() (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(o.DSN)
	if err != nil {
		return nil, errors.New("the DSN of Banyan's own tables can't be read: want user:password@tcp(host:port)/") // the driver's text may have the password
	}
	cfg.DBName, cfg.Collation, cfg.ParseTime, cfg.Loc = "", "", true, time.UTC
	cfg.ClientFoundRows, cfg.InterpolateParams, cfg.MultiStatements, cfg.ColumnsWithAlias = true, true, false, false
	cfg.RejectReadOnly = false // it would hide what the server said: see leave
	cfg.Timeout, cfg.WriteTimeout, cfg.ReadTimeout = o.Timeout, o.Timeout, o.Timeout+o.LockWait
	cfg.Logger = &mysql.NopLogger{} // what it has to say comes back as an error, too
	if err := cfg.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, fmt.Errorf("set the connection's charset: %w", err)
	}
	params := map[string]string{
		"sql_mode": sqlMode, "time_zone": "'+00:00'", "default_storage_engine": "InnoDB", "completion_type": "0", "sql_safe_updates": "0",
		"autocommit":               "1" + byFlavour,
		"innodb_lock_wait_timeout": strconv.Itoa(max(1, int(o.Timeout.Seconds()/2))), "wait_timeout": "60",
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	maps.Copy(cfg.Params, params)
	return cfg, nil
}

// open gives a database that connects when first used.
func open(cfg *mysql.Config, most int) (*sql.DB, error) {
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, errors.New("the DSN of Banyan's own tables has options that go-sql-driver can't combine")
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(30 * time.Second)
	db.SetConnMaxLifetime(maxLifetime)
	return db, nil
}

// maxLifetime bounds how long a connection goes on to a server that its address no longer leads to.
const maxLifetime = 3 * time.Minute

// leave closes a database's idle connections where a server said that it takes no changes: the address may lead to another
// one by now.
func leave(db *sql.DB, err error) {
	if isNumber(err, readOnly...) {
		most := db.Stats().MaxOpenConnections
		db.SetMaxIdleConns(-1)
		db.SetMaxIdleConns(most)
	}
}

// seconds gives a time in whole seconds for SQL, at least one.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }
