package strangler_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/flags"
	"banyan.dev/banyan/strangler"
)

// A write that is only validated goes where reads go, and leaves nothing in the ledger, nor under its key.
func TestAValidatedWriteIsNoWrite(t *testing.T) {
	for _, test := range []struct {
		stage flags.Stage
		asked string
	}{
		{flags.Off, "legacy AddLine"}, {flags.Mirrored, "legacy AddLine"}, {flags.Shadow, "legacy AddLine"}, {flags.Live, "modern AddLine"},
	} {
		b := newKeyedBed(t)
		b.all(test.stage)
		op := operation("AddLine")
		m := message(op.Input, map[string]string{"id": "1", "customer": "c", "line": "x"})
		text, err := m.Message()
		if err != nil {
			t.Fatal(err)
		}
		text.Set(op.Input.Fields().ByName("validate_only"), protoreflect.ValueOfBool(true))
		err = b.once.Call(t.Context(), &strangler.Call{
			Operation: op, Request: contract.FromMessage(text), Header: func(string) []string { return []string{"k"} },
		}, func(*strangler.Reply) error { return nil })
		if got := b.trace.all(); err != nil || !slices.Equal(got, []string{test.asked}) || len(b.ledger.writes()) > 0 || len(b.ledger.keys.rows) > 0 {
			t.Errorf("at %s: %v, %q, %d writes, %d keys", test.stage, err, got, len(b.ledger.writes()), len(b.ledger.keys.rows))
		}
	}
}
