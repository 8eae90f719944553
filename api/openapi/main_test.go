package openapi_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Every server, connection and browser of the tests must end with them.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
