package binlog

import (
	"errors"

	"banyan.dev/banyan/mirror/change"
)

func (c *column) compressed(_ []byte, _ *arena) (change.Value, error) {
	return change.Value{}, errors.New("unread")
}
