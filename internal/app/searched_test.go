package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"banyan.dev/banyan/adapters/store"
	"banyan.dev/banyan/internal/chaos/boxes"
	"banyan.dev/banyan/protocol"
	"banyan.dev/banyan/strangler/control"
)

// A service that takes nothing over has no target. It is told what it asked for, in the form that it asked for, while the
// capability of the same entity goes live and back; and it can be told anew at any time.
func TestAServiceIsToldThatTakesNothingOver(t *testing.T) {
	b := newEditedShiftLab(t, []edit{{"banyan.yaml", "services:", `  search: {entities: {boxes.v1.Box: {key: "'all'"}}, format: protobuf}`}}, boxes.Options{}, "20s")
	told := tap(t, b.options.Broker, "search")
	ledger, err := store.NewLedger(store.Options{DSN: b.dsn, Schema: b.ledger, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	until := func(what string, done func(e *protocol.EntityEvent) bool) {
		t.Helper()
		for end := time.After(time.Minute); ; {
			select {
			case <-end:
				t.Fatalf("%s is not told", what)
			case d := <-told:
				e, err := read(&d)
				if err != nil {
					t.Fatal(err)
				}
				if done(e) {
					return
				}
			}
		}
	}
	b.to(t, "live")
	if err := b.add(t.Context(), 0, 7); err != nil {
		t.Fatal(err)
	}
	until("what is written at live", func(e *protocol.EntityEvent) bool { return e.ID == "7" && e.Origin == protocol.OriginLegacy })
	announced := control.Announcement{Service: "search", Entity: "boxes.v1.Box", IDs: []string{"9", "99"}}
	if err := ledger.Announce(t.Context(), announced); err != nil {
		t.Fatal(err)
	}
	until("what is announced", func(e *protocol.EntityEvent) bool { return e.ID == "9" && e.Origin == protocol.OriginAnnounce })
	until("what is announced and gone", func(e *protocol.EntityEvent) bool { return e.ID == "99" && e.Deleted })
}

// read reads an event about a box in protobuf's bytes.
func read(d *amqp.Delivery) (*protocol.EntityEvent, error) {
	e := &protocol.EntityEvent{}
	if err := json.Unmarshal(d.Body, e); err != nil {
		return nil, err
	}
	var err error
	if e.Origin == protocol.OriginWriteBack {
		err = errors.New("the service has not written it")
	}
	if e.Data != nil || (e.Proto == nil) != e.Deleted || (e.Key == "all") == e.Deleted {
		err = errors.New("it is not as the service has asked for")
	}
	if len(e.Proto) > 0 && e.Proto[0] != 1<<3 { // the field 1 is its id
		err = errors.New("it does not begin with the id")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.Body, err)
	}
	return e, nil
}
