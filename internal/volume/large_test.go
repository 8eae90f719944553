package volume_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"banyan.dev/banyan/internal/app/apptest"
	"banyan.dev/banyan/internal/devstack"
)

// body is SQL for a text of some bytes, of letters of one, two and three bytes and of what JSON writes in another way.
func body(bytes int) string {
	const piece = "größer & teurer <€> \\\\ \\n \\\" " // as SQL has it; 29 bytes
	return fmt.Sprintf("LEFT(REPEAT('%s', %d), %d * 25 DIV 29)", piece, bytes/29+1, bytes)
}

// Orders of 5 MB, some of a large text and some of very many lines, go through in both formats, and nobody's memory depends on
// how many of them wait for the service.
func TestOrdersOfMegabytes(t *testing.T) {
	const size = 5 << 20
	for _, format := range []string{"json", "protobuf"} {
		t.Run(format, func(t *testing.T) {
			l := newLab(t, options{format: format})
			n := *largeOrder
			l.service.kill()
			l.exec("INSERT INTO order_lines (order_id, sku, quantity) SELECT 1, CONCAT('sku-', seq), seq % 7 FROM seq_1_to_20000")
			for id := 1; id <= n; id++ {
				l.exec(fmt.Sprintf("INSERT INTO orders VALUES (%d, %d, 1, %s)", id, 1+id%3, body(size)))
			}
			l.told(n)
			l.service.start()
			took := l.fence()
			l.compare()
			if bytes := l.look("SELECT MIN(LENGTH(CAST(body AS BLOB))) FROM orders"); bytes < size*9/10 {
				t.Errorf("an order has %d bytes only", bytes)
			}
			t.Logf("%d orders of 5 MB: the service has applied them in %s; Banyan has had %s, the service %s", n, took.Round(time.Millisecond), mib(l.banyan.peak()), mib(l.service.peak()))
			within(t, "Banyan", l.banyan.peak(), mostLarge)
			within(t, "the service", l.service.peak(), mostLarge)
		})
	}
}

// told waits until the service's queue has messages.
func (l *lab) told(n int) {
	l.t.Helper()
	wait(l.t, "all is told", func() error {
		if have := l.waiting(); have < n {
			return fmt.Errorf("%d of %d events wait for the service", have, n)
		}
		return nil
	})
}

// An order that is larger than RabbitMQ takes is kept apart, loudly, and all others are told. It is told once it is smaller, or
// RabbitMQ takes more. One that is larger than the service takes is parked with its key.
func TestWhatIsTooLargeHoldsNothingUp(t *testing.T) {
	const most, rest = 3 << 20, 1 << 20
	broker := devstack.OwnRabbitMQ(t)
	if _, err := broker.Control(t.Context(), "eval", fmt.Sprintf("application:set_env(rabbit, max_message_size, %d), persistent_term:put({rabbit, max_message_size}, %[1]d).", most)); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, options{broker: broker, service: []string{"--most", fmt.Sprint(rest)}})
	// One transaction: 2 is too large for the broker, 3 for the service, the others for nobody.
	l.transaction("INSERT INTO orders VALUES (1, 1, 1, 'x')", fmt.Sprintf("INSERT INTO orders VALUES (2, 2, 1, REPEAT('x', %d))", most+1), fmt.Sprintf("INSERT INTO orders VALUES (3, 3, 1, REPEAT('x', %d))", 2*rest),
		"INSERT INTO orders VALUES (4, 4, 1, 'x')", "INSERT INTO orders VALUES (5, 3, 1, 'behind 3 in its key')")
	l.fence()
	l.compare(2, 3, 5)
	l.exec("UPDATE orders SET n = 2 WHERE id = 4")
	l.fence()
	l.compare(2, 3, 5)
	l.banyan.logged("what is too large is told of", "level=ERROR", "entity=volume.v1.Order", "id=2", "too large to be sent", "max_message_size")
	l.service.logged("what the service can't take is told of", "level=ERROR", "is parked", "id=3")
	unread := l.unread()
	if len(unread) != 1 || unread[0].ID != "2" || !strings.Contains(unread[0].Reason, fmt.Sprintf("the broker takes %d at most", most)) || !strings.Contains(unread[0].Fix, "max_message_size") {
		t.Errorf("status: %+v", unread)
	}
	if parked := l.look("SELECT COUNT(*) FROM banyan_parked WHERE id IN ('3', '5')"); parked != 2 {
		t.Errorf("%d events are parked", parked)
	}
	// Both become smaller, and 6 is too large.
	l.transaction("UPDATE orders SET body = 'y', n = 2 WHERE id = 2", fmt.Sprintf("INSERT INTO orders VALUES (6, 6, 1, REPEAT('x', %d))", most))
	l.fence()
	l.compare(3, 5, 6)
	// RabbitMQ starts again, with its own limit.
	if err := broker.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	apptest.Poll(t, "what was too large is told", func() error {
		if unread := l.unread(); len(unread) > 0 {
			return fmt.Errorf("%+v", unread)
		}
		return nil
	})
	l.fence()
	l.compare(3, 5, 6)
	if parked := l.look("SELECT COUNT(*) FROM banyan_parked WHERE id = '6'"); parked != 1 { // the service takes less
		t.Errorf("%d events of 6 are parked", parked)
	}
}

// apart is an entity that the status names as not told.
type apart struct{ ID, Reason, Fix string }

// unread asks the status.
func (l *lab) unread() (all []apart) {
	l.t.Helper()
	body, err := l.get(l.t.Context(), "/status")
	if err != nil {
		l.t.Fatal(err)
	}
	var status struct {
		Services []struct{ Unread []apart }
	}
	if err := json.Unmarshal(body, &status); err != nil {
		l.t.Fatalf("%v: %s", err, body)
	}
	for _, m := range status.Services {
		all = append(all, m.Unread...)
	}
	return all
}

// get asks the admin API.
func (l *lab) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.admin+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", answer.StatusCode, body)
	}
	return body, err
}
