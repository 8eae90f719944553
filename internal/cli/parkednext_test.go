package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	consumerv1 "banyan.dev/banyan/proto/banyan/consumer/v1"
)

// What is shown to be typed next is what helps: a conflict is never settled by trying it again.
func TestWhatFollowsAParkedEvent(t *testing.T) {
	f := &serviceFlags{cmd: &cobra.Command{}, program: "banyan"}
	next := f.afterShow("orders", &consumerv1.ParkedEvent{Id: 7, Key: "a b", Entity: "shop.v2.Order", Reason: "order 7: unknown state"})
	if next != "Next: banyan parked retry orders --key 'a b'\n" {
		t.Errorf("of a fault: %s", next)
	}
	next = f.afterShow("orders", &consumerv1.ParkedEvent{Id: 7, Key: "12", Entity: "shop.v2.Order", Reason: "conflict: the service has written it itself"})
	for _, want := range []string{"banyan parked drop orders --key 12 --through 7 --confirm", "banyan backfill shop.v2.Order"} {
		if !strings.Contains(next, want) || strings.Contains(next, "retry") {
			t.Errorf("of a conflict: %s, want %s", next, want)
		}
	}
}
