package servicebench

import (
	"context"
	"fmt"
	"path/filepath"

	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/bench/rig"
	"banyan.dev/banyan/protocol"
)

// contender is one way to tell a service of orders. run goes on from the job's position until ctx ends.
type contender struct {
	name string
	run  func(ctx context.Context, j job, p *rig.Progress) error
}

// The contenders that figures are compared of.
const (
	byHand  = "by hand, one by one"
	batched = "by hand, 200 at once"
	banyan  = "Banyan"
)

// batch is how many orders are read at once by hand; Banyan takes as many.
const batch = 200

func contenders() []contender {
	return []contender{{byHand, sendByHand(1)}, {batched, sendByHand(batch)}, {banyan, streamBanyan}}
}

func contenderNamed(name string) (contender, error) {
	for _, c := range contenders() {
		if c.name == name {
			return c, nil
		}
	}
	return contender{}, fmt.Errorf("no contender is named %q", name)
}

func sendByHand(batch int) func(context.Context, job, *rig.Progress) error {
	return func(ctx context.Context, j job, p *rig.Progress) error {
		o := canal.OrdersOptions{
			Server: j.Server, DSN: j.DSN + "?parseTime=true", Schema: schema, From: canal.Position{File: j.From.File, Offset: j.From.Offset},
			Keep: filepath.Join(j.Dir, "position"), Broker: j.Broker, Exchange: protocol.ExchangeName(service), Batch: batch,
			Route: func(customer string) string { return protocol.RoutingKey(protocol.PartitionOf("", "", customer)) },
		}
		if j.Record {
			o.Sent = p.Sent
		}
		sender := canal.NewOrders(o)
		p.Follow(sender.Confirmed)
		return sender.Run(ctx)
	}
}
