package app

import (
	"context"
	"database/sql/driver"
	"fmt"

	"banyan.dev/banyan/legacy/pool"
)

// ownZone tells how far the server's own time zone, which applications have that set none, is from the session's, as
// [-]hh:mm:ss; "" when they agree now, or when the server doesn't know.
func ownZone(ctx context.Context, conns *pool.Pool) (string, error) {
	conn, err := conns.Acquire(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Release()
	const utc = "CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', "
	rows, err := conn.Query(ctx, "SELECT CAST(TIMEDIFF("+utc+"@@global.time_zone), "+utc+"@@session.time_zone)) AS CHAR)", nil)
	if err != nil {
		return "", err
	}
	row := make([]driver.Value, 1)
	if err := rows.Next(row); err != nil {
		return "", fmt.Errorf("asking for the server's time zone: %w", err)
	}
	text, _ := row[0].([]byte) // NULL where the server's zone tables are not loaded
	apart := string(text)
	if err := rows.Close(); err != nil {
		return "", err
	}
	if apart == "00:00:00" || apart == "00:00:00.000000" {
		return "", nil
	}
	return apart, nil
}
