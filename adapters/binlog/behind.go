package binlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"banyan.dev/banyan/mirror/change"
)

// Behind gives how many bytes of log lie between a position and the end, or change.ErrServers for another server's.
func (s *Source) Behind(ctx context.Context, p change.Position) (uint64, error) {
	conn, err := s.standing().Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("connect to the legacy: %w", err)
	}
	defer conn.Close() //nolint:errcheck // It was only asked.
	found, err := identify(ctx, conn)
	if err != nil {
		return 0, err
	}
	if found.identity != p.Server {
		return 0, change.ErrServers
	}
	statements := []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"}
	if found.mariadb {
		statements = statements[1:]
	}
	row, err := firstRow(ctx, conn, statements...)
	if err != nil {
		return 0, err
	}
	if len(row) < 2 {
		return 0, errors.New("the legacy does not say where its log ends")
	}
	if row[0] == p.File {
		end, err := strconv.ParseUint(row[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the log's offset: %w", err)
		}
		return end - min(end, p.Offset), nil
	}
	// Asking for the sizes of all files costs the server more, so that it is asked only where it is needed.
	files, err := allRows(ctx, conn, "SHOW BINARY LOGS")
	if err != nil {
		return 0, err
	}
	return bytesBehind(files, p)
}

// bytesBehind adds up what is behind a position in files of name and size.
func bytesBehind(files [][]string, p change.Position) (sum uint64, err error) {
	reached := false
	for _, row := range files {
		if len(row) < 2 {
			return 0, errors.New("the list of log files has no sizes")
		}
		size, err := strconv.ParseUint(row[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the size of %s: %w", row[0], err)
		}
		switch {
		case row[0] == p.File:
			reached = true
			sum += size - min(size, p.Offset)
		case reached:
			sum += size
		}
	}
	if !reached {
		return 0, fmt.Errorf("the log %s is gone", p.File)
	}
	return sum, nil
}

// movedWithin is how long it may take to notice that the legacy's address leads to another server.
const movedWithin = 30 * time.Second

// standing gives what keeps one connection.
func (s *Source) standing() *sql.DB {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = sql.OpenDB(s.connector)
		s.asked.SetMaxIdleConns(1)
		s.asked.SetConnMaxIdleTime(time.Minute)
		s.asked.SetConnMaxLifetime(movedWithin)
	}
	return s.asked
}

// Close gives up the connection that Behind keeps. Streams have their own.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		return nil
	}
	err := s.asked.Close()
	s.asked = nil
	return err
}
