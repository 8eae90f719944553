package pool

import (
	"database/sql/driver"
	"fmt"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/strangler"
)

// checkArguments refuses what can't be sent, before any of it is: the driver sends large arguments ahead of the others,
// and one that fails later would leave those in the server, for the statement's next run.
func checkArguments(args []driver.Value, maxPacket int) error {
	size := 64 + 16*len(args) // headers, types and lengths, generously
	for i, arg := range args {
		switch v := arg.(type) {
		case nil, int64, uint64, float64, bool:
		case string:
			size += len(v)
		case []byte:
			size += len(v)
		default:
			return misuse(fmt.Sprintf("argument %d is a %T: want int64, uint64, float64, bool, string, []byte or nil", i+1, arg))
		}
	}
	if size > maxPacket {
		return strangler.Fail(codes.InvalidArgument, "VALUE_TOO_LARGE",
			"the request's values are larger than the legacy database takes at once (%d bytes); send less", maxPacket)
	}
	return nil
}
