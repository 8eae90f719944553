package change

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
)

// XAName tells XA transactions apart.
func XAName(format uint32, global, branch []byte) string {
	return hex.EncodeToString(global) + "." + hex.EncodeToString(branch) + "." + strconv.FormatUint(uint64(format), 10)
}

// XARecovered gives the name of a transaction that XA RECOVER shows, by the four columns of its row: the format, how many bytes the
// global part and the branch have, and both of them.
func XARecovered(row [4]string) (string, error) {
	format, err := strconv.ParseInt(row[0], 10, 64)
	global, err2 := strconv.Atoi(row[1])
	branch, err3 := strconv.Atoi(row[2])
	err = errors.Join(err, err2, err3)
	if err == nil && (global < 0 || branch < 0 || len(row[3]) != global+branch) {
		err = errors.New("the name has another length than it says")
	}
	if err != nil {
		return "", fmt.Errorf("XA RECOVER shows %q: %w", row, err)
	}
	return XAName(uint32(format), []byte(row[3][:global]), []byte(row[3][global:])), nil //nolint:gosec // the bits are what the log has
}
