package binlog

import (
	"errors"

	"banyan.dev/banyan/mirror/change"
)

func readJSON(_ []byte, _ *arena) (change.Value, error) { return change.Value{}, errors.New("unread") }
