package app_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/rabbitmq"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/protocol"
)

// counted adds a second capability to the project, with a service of its own: the count of what is in a box, which the put of
// the box changes.
var counted = []edit{
	{"contract/boxes/v1/boxes.proto", "import \"google/api/annotations.proto\";", `
// CountService keeps counts.
service CountService {
  // GetCount gives one.
  rpc GetCount(GetCountRequest) returns (Count) {
    option (google.api.http) = {get: "/v1/counts/{id}"};
  }
}

// GetCountRequest asks for a count.
message GetCountRequest {
  // Its id.
  int64 id = 1;
}

// Count is how much is in a box.
message Count {
  // Its id.
  int64 id = 1;
  // How many.
  int64 n = 2;
}
`},
	{"sql/boxes.sql", "INSERT INTO boxes (id, owner) VALUES (:id, :owner) ON DUPLICATE KEY UPDATE owner = VALUES(owner);", `-- name: counted :exec
REPLACE INTO counts (id, n) VALUES (:id, 2);`},
	{"sql/boxes.sql", "-- event: boxes.v1.Box id=id on=boxes(id),things(box) via=boxes.v1.BoxService.GetBox", `
-- event: boxes.v1.Count id=id on=counts(id) via=boxes.v1.CountService.GetCount

-- rpc: boxes.v1.CountService.GetCount
-- name: count :one
SELECT id, n FROM counts WHERE id = :id;`},
	{"schema.sql", "CREATE TABLE boxes (id BIGINT PRIMARY KEY, owner BIGINT NOT NULL) ENGINE=InnoDB;", "CREATE TABLE counts (id BIGINT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB;"},
	{"banyan.yaml", "services:", `  counts: {target: "127.0.0.1:1"}`},
	{"banyan.yaml", "capabilities:", `  counts:
    service: counts
    operations: [boxes.v1.CountService.*]
    entity: boxes.v1.Count
    key: id`},
}

// The put of one capability changes rows of another's entity. That one's service has not written them: it has to be told.
func TestAPutThatChangesAnothersEntityIsTold(t *testing.T) {
	b := newEditedShiftLab(t, counted, boxes.Options{}, "20s")
	told := tap(t, b.options.Broker, "counts")
	b.to(t, "live")
	if err := b.add(t.Context(), 0, 7); err != nil {
		t.Fatal(err)
	}
	for end := time.After(time.Minute); ; {
		select {
		case <-end:
			t.Fatal("the service was told nothing")
		case d := <-told:
			var e protocol.EntityEvent
			if err := json.Unmarshal(d.Body, &e); err != nil {
				t.Fatal(err)
			}
			if e.Entity != "boxes.v1.Count" {
				continue
			}
			if e.Origin != protocol.OriginLegacy || e.ID != "7" || !strings.Contains(string(e.Data), `"n":"2"`) {
				t.Errorf("told %s", d.Body)
			}
			return
		}
	}
}

// tap declares a service's queue, and gives what comes.
func tap(t *testing.T, broker, service string) <-chan amqp.Delivery {
	t.Helper()
	conn, err := amqp.Dial(broker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	exchange, queue := rabbitmq.ServiceExchange(service), protocol.QueueName(service, 1, 0)
	if err := c.ExchangeDeclare(exchange, amqp.ExchangeDirect, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for partition := range protocol.Partitions {
		if err := c.QueueBind(queue, protocol.RoutingKey(partition), exchange, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	told, err := c.Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return told
}
