package mirrorbench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"banyan.dev/banyan/bench/canal"
	"banyan.dev/banyan/bench/rig"
)

// contender is one way to follow a log.
type contender struct {
	name string
	// sends says whether it sends what it reads, to the exchange.
	sends bool
	// streams says that it sends to a stream alone, by RabbitMQ's native protocol and past the exchange.
	streams bool
	// run reads on from the job's position until ctx ends, or, where nothing is sent, until all rows were seen.
	run func(ctx context.Context, j job, p *rig.Progress) error
}

// The contenders that figures are compared of.
const (
	byHand   = "by hand"
	byHandCE = "by hand, as CloudEvents"
	limited  = "decoding alone"
	banyan   = "Banyan"
	native   = "Banyan, native"
	batched  = "Banyan, native, 100 an entry"
)

func contenders() []contender {
	return []contender{
		{name: limited, run: decode},
		{name: byHand, sends: true, run: publishByHand},
		{name: byHandCE, sends: true, run: publishByHand},
		{name: banyan, sends: true, run: mirrorBanyan},
		{name: native, sends: true, streams: true, run: mirrorBanyan},
		{name: batched, sends: true, streams: true, run: mirrorBanyan},
	}
}

// sending gives those that send to a kind of queue.
func sending(kind string) []contender {
	return slices.DeleteFunc(contenders(), func(c contender) bool { return !c.sends || c.streams && kind != streamKind })
}

// following gives those whose latency is measured.
func following(kind string) []contender {
	return slices.DeleteFunc(sending(kind), func(c contender) bool { return c.name == byHandCE || c.name == native })
}

func contenderNamed(name string) (contender, error) {
	for _, c := range contenders() {
		if c.name == name {
			return c, nil
		}
	}
	return contender{}, fmt.Errorf("no contender is named %q", name)
}

func decode(ctx context.Context, j job, _ *rig.Progress) error {
	return canal.Decode(ctx, j.Server, schema, table, j.place(), j.Rows)
}

func publishByHand(ctx context.Context, j job, p *rig.Progress) error {
	o := canal.Options{
		Server: j.Server, Schema: schema, Table: table, From: j.place(), Keep: filepath.Join(j.Dir, "position"),
		Broker: j.Broker, Exchange: exchange, CloudEvents: j.Contender == byHandCE,
	}
	if j.Record {
		o.Sent = func(row []any) { p.Sent(row[0].(int64)) } //nolint:errcheck // the key's type
	}
	publisher := canal.New(o)
	p.Follow(publisher.Confirmed)
	return publisher.Run(ctx)
}
