package app_test

import (
	"fmt"
	"testing"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
	"banyan.dev/banyan/mirror"
)

// The history is written by RabbitMQ's stream protocol, the broker is killed: nothing
// is lost, and a repeat has the same id and version.
func TestTheHistoryByStreams(t *testing.T) {
	broker := devstack.OwnRabbitMQ(t)
	p := newMirroredWith(t, devstack.Databases(t)[0], broker, fmt.Sprintf("{max_bytes: 100MiB, protocol: stream, port: %d, batch: 10}", broker.StreamPort))
	noLeaks(t)
	s := apptest.Start(t, p.dir, p.dsn)
	p.await(t, s, mirror.PhaseLeading)
	// RabbitMQ 3.10 never finds a stream again that was declared a moment before it was killed.
	if err := broker.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	const rows = 300
	for n := range rows {
		p.exec(t, fmt.Sprintf("INSERT INTO notes (id, body, big) VALUES (%d, 'n', 1)", 1000+n))
		if n == rows/2 {
			broker.Kill()
			if err := broker.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	apptest.Poll(t, "all events", func() error {
		all, err := p.history(t)
		if err != nil {
			return err
		}
		seen := map[string]string{}
		for _, m := range all {
			if before, again := seen[m.ID]; again && before != m.Version {
				t.Fatalf("%s has the versions %s and %s", m.ID, before, m.Version)
			}
			seen[m.ID] = m.Version
		}
		if len(seen) < rows {
			return fmt.Errorf("%d events", len(seen))
		}
		return nil
	})
	// The stream has each of them by its own way only, and no second time from the exchange.
	if got := p.events(t); len(got) > 2*rows {
		t.Errorf("%d events of %d rows", len(got), rows)
	}
}
