package house

import (
	"fmt"
	"slices"
	"strings"
)

// library is one that only some rooms may see.
type library struct {
	path  string
	rooms []string
	why   string
}

func libraries() []library {
	return []library{
		{"github.com/go-mysql-org/go-mysql", []string{"adapters/binlog", "bench"}, "all else reads changes through mirror/change, whatever they come from; only what Banyan is measured against is written by hand"},
		{"github.com/lestrrat-go/jwx", []string{"api/auth"}, "what a token proves is decided in one place"},
		{"github.com/rabbitmq/amqp091-go", []string{"adapters/rabbitmq", "consumer", "internal/devstack", "bench", "internal/chaos"}, "all else sends changes through mirror/change, whatever they go to; what Banyan is measured against is written by hand, and chaos reads what arrived with nothing of the sender's in between"},
		{"github.com/rabbitmq/rabbitmq-stream-go-client", []string{"adapters/rabbitmq"}, "that a history is read by RabbitMQ's stream protocol is between the adapter and the broker"},
	}
}

// findLibraries finds imports of a library outside of its rooms. Tests look at real servers with it.
func findLibraries(t *tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		if f.test {
			continue
		}
		f.imports(func(imported string, line int) {
			for _, l := range libraries() {
				if within(imported, l.path) && !slices.ContainsFunc(l.rooms, func(dir string) bool { return within(f.dir, dir) }) {
					found = append(found, Finding{f.name, line, fmt.Sprintf("only %s may import %s: %s", strings.Join(l.rooms, ", "), l.path, l.why)})
				}
			}
		})
	}
	return found
}
