package devstack

import (
	"context"
	"fmt"
	"sync"
)

// vhosts are virtual hosts that nobody has used yet.
type vhosts struct {
	mu   sync.Mutex
	free []string
	made int
}

// vhostBatch is how many are made at once: starting rabbitmqctl takes a second of a processor, a virtual host next to nothing.
const vhostBatch = 16

// NewVHost gives the URL of a virtual host that no other test has, nor will have: those that are used stay as they are
// until the broker ends.
func (b *Broker) NewVHost(t TB) string {
	t.Helper()
	b.vhosts.mu.Lock()
	defer b.vhosts.mu.Unlock()
	if len(b.vhosts.free) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := b.makeVHosts(ctx); err != nil {
			t.Fatalf("%v", err)
		}
	}
	name := b.vhosts.free[0]
	b.vhosts.free = b.vhosts.free[1:]
	return b.URL(name)
}

func (b *Broker) makeVHosts(ctx context.Context) error {
	first := b.vhosts.made + 1
	last := b.vhosts.made + vhostBatch
	// The functions behind add_vhost and set_permissions.
	script := fmt.Sprintf(`lists:foreach(fun(N) ->
  V = iolist_to_binary(io_lib:format("v~b", [N])),
  rabbit_vhost:add(V, <<"devstack">>),
  rabbit_auth_backend_internal:set_permissions(<<"%s">>, V, <<".*">>, <<".*">>, <<".*">>, <<"devstack">>)
end, lists:seq(%d, %d)).`, account, first, last)
	if _, err := b.Control(ctx, "eval", script); err != nil {
		return fmt.Errorf("make virtual hosts: %w", err)
	}
	for n := first; n <= last; n++ {
		b.vhosts.free = append(b.vhosts.free, fmt.Sprintf("v%d", n))
	}
	b.vhosts.made = last
	return nil
}
