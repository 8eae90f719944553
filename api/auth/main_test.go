package auth_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Every server, look for keys and connection of the tests must end with them.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
