package legacy

import (
	"database/sql/driver"
	"fmt"
	"strconv"
)

// result is what a statement gave in one run.
type result struct {
	rows int
	// buf holds the rows' wire forms one after the other; ends marks where each ends, unless they are framed records
	// that nobody has to tell apart.
	buf  []byte
	ends []int
	// captures are the kept columns, row by row.
	captures []driver.Value
	stride   int

	insertID int64
	matched  int64
}

func (r *result) reset(stride int) {
	r.rows, r.stride, r.insertID, r.matched = 0, stride, 0, 0
	r.buf, r.ends = r.buf[:0], r.ends[:0]
	clear(r.captures)
	r.captures = r.captures[:0]
}

// captured gives a kept column of a row.
func (r *result) captured(row, slot int) driver.Value { return r.captures[row*r.stride+slot] }

// record gives the wire form of one row.
func (r *result) record(row int) []byte {
	start := 0
	if row > 0 {
		start = r.ends[row-1]
	}
	return r.buf[start:r.ends[row]]
}

// key appends the values of some slots of a row, so that equal keys are equal bytes, also when one side keeps the key
// as a number and the other as text.
func (r *result) key(b []byte, row int, slots []int) []byte {
	for _, slot := range slots {
		start := len(b)
		b = append(b, 0, 0, 0, 0)
		switch v := r.captured(row, slot).(type) {
		case nil:
			b = append(b, 0)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case uint64:
			b = strconv.AppendUint(b, v, 10)
		case []byte:
			b = append(b, v...)
		case string:
			b = append(b, v...)
		default:
			b = fmt.Append(b, v)
		}
		n := len(b) - start - 4
		b[start], b[start+1], b[start+2], b[start+3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	}
	return b
}
