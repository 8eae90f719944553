package strangler_test

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"banyan.dev/banyan/strangler"
)

// What a caller wrote wrongly must not cost the details that say so.
func TestDetailsSurviveTextThatIsNoUTF8(t *testing.T) {
	failure := strangler.Invalid("a\xff", "no such field: a\xff")
	failure.Metadata = map[string]string{"\xfe": "\xfd"}
	st := failure.GRPCStatus()
	if want := "a\ufffd: no such field: a\ufffd"; st.Message() != want {
		t.Errorf("message %q, want %q", st.Message(), want)
	}
	details := st.Details()
	if len(details) != 2 {
		t.Fatalf("details: %v", details)
	}
	if info, ok := details[0].(*errdetails.ErrorInfo); !ok || info.GetReason() != "INVALID_FIELD" || info.GetMetadata()["\ufffd"] != "\ufffd" {
		t.Errorf("details[0]: %v", details[0])
	}
	if bad, ok := details[1].(*errdetails.BadRequest); !ok || bad.GetFieldViolations()[0].GetField() != "a\ufffd" {
		t.Errorf("details[1]: %v", details[1])
	}
}
