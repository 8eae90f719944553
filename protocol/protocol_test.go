package protocol_test

import (
	"strconv"
	"testing"

	"banyan.dev/banyan/protocol"
)

// Services in other languages compute these, too: they never change.
func TestPartitionsAreFixed(t *testing.T) {
	for _, c := range []struct {
		entity, id, key string
		want            int
	}{
		{"shop.v2.Order", "7", "12", 42},
		{"shop.v2.Order", "8", "12", 42},
		{"shop.v2.Product", "9", "12", 42},
		{"shop.v2.Order", "7", "", 21},
		{"", "", "shop.v2.Order/7", 21},
		{"shop.v2.Order", "7", "Zoë", 28},
	} {
		if got := protocol.PartitionOf(c.entity, c.id, c.key); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
	var n [protocol.Partitions]int
	for i := range 64_000 {
		n[protocol.PartitionOf("shop.v2.Order", strconv.Itoa(i), "")]++
	}
	for p, n := range n {
		if n < 500 || n > 1500 {
			t.Errorf("partition %d has %d of 64,000", p, n)
		}
	}
	if a, b := protocol.RoutingKey(7), protocol.RoutingKey(63); a != "partition.07" || b != "partition.63" {
		t.Errorf("%s, %s", a, b)
	}
	if got := protocol.QueueName("orders", 4, 2); got != "banyan.service.orders.4.2" {
		t.Errorf("%s", got)
	}
}
