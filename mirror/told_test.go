package mirror

import (
	"encoding/json"
	"fmt"
	"testing"

	"banyan.dev/banyan/mirror/change"
	"banyan.dev/banyan/protocol"
)

// told gives what the service was sent, in short: "legacy 7 at 100:2" or "fence f".
func (b *inbox) told(t *testing.T) (out []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	copies := 0 // of a fence
	for _, m := range b.got {
		var version change.Version
		if _, err := fmt.Sscanf(m.Version, "%x-%x-%x-%x", &version.Epoch, &version.File, &version.Offset, &version.Row); err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("%d:%d", version.Offset, version.Row)
		if m.Type == protocol.TypeFence {
			var f protocol.Fence
			if err := json.Unmarshal(m.Body, &f); err != nil || f.ID != m.CorrelationID || m.Key != protocol.RoutingKey(f.Partition) || f.Partition != copies {
				t.Errorf("copy %d of the fence %s (%v): %v", copies, m.Body, m, err)
			}
			if copies++; copies < protocol.Partitions {
				continue
			}
			copies = 0
			back := map[bool]string{true: " back"}[f.Back]
			out = append(out, fmt.Sprintf("fence %s epoch %d void %v%s to %s at %s", f.ID, f.Epoch, f.Void, back, m.ReplyTo, at))
			continue
		}
		var e protocol.EntityEvent
		if err := json.Unmarshal(m.Body, &e); err != nil || e.Version != m.Version || e.Event != m.ID || m.Key != protocol.RoutingKey(protocol.PartitionOf(e.Entity, e.ID, e.Key)) {
			t.Errorf("the event %s (%v): %v", m.Body, m, err)
		}
		if e.Deleted != (e.Data == nil) || e.Deleted == (e.Key == "k"+e.ID) {
			t.Errorf("the event %s", m.Body)
		}
		out = append(out, fmt.Sprintf("%s %s at %s", e.Origin, e.ID, at))
	}
	return out
}
