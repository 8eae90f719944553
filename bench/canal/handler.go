package canal

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/canal"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/go-mysql-org/go-mysql/schema"
	amqp "github.com/rabbitmq/amqp091-go"
)

// handler makes a message of each row that canal gives it, and publishes it.
type handler struct {
	canal.DummyEventHandler
	ctx     context.Context // canal's handlers get none
	out     *outlet
	options *Options

	gtid string
	row  int // of the transaction
}

// envelope is a message's body.
type envelope struct {
	Schema    string         `json:"schema"`
	Table     string         `json:"table"`
	Op        string         `json:"op"`
	Committed int64          `json:"committed"` // Unix, seconds
	Before    map[string]any `json:"before,omitempty"`
	After     map[string]any `json:"after,omitempty"`
}

// OnGTID begins a transaction.
func (h *handler) OnGTID(_ *replication.EventHeader, event mysql.BinlogGTIDEvent) error {
	set, err := event.GTIDNext()
	if err != nil {
		return err
	}
	h.gtid, h.row = set.String(), 0
	return nil
}

// OnRow publishes a message for each row.
func (h *handler) OnRow(e *canal.RowsEvent) error {
	body := envelope{Schema: e.Table.Schema, Table: e.Table.Name, Op: e.Action, Committed: int64(e.Header.Timestamp)}
	step := 1
	if e.Action == canal.UpdateAction {
		step = 2
	}
	for i := 0; i+step <= len(e.Rows); i += step {
		row := e.Rows[i+step-1]
		switch e.Action {
		case canal.InsertAction:
			body.After = named(e.Table, row)
		case canal.UpdateAction:
			body.Before, body.After = named(e.Table, e.Rows[i]), named(e.Table, row)
		case canal.DeleteAction:
			body.Before = named(e.Table, row)
		}
		if err := h.publish(&body, e.Table, row); err != nil {
			return err
		}
	}
	return nil
}

// named puts a row's values under their columns' names.
func named(table *schema.Table, row []any) map[string]any {
	values := make(map[string]any, len(row))
	for i, value := range row {
		if text, ok := value.([]byte); ok {
			value = string(text) // a TEXT, which JSON would have in base64
		}
		values[table.Columns[i].Name] = value
	}
	return values
}

func (h *handler) publish(e *envelope, table *schema.Table, row []any) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode a row: %w", err)
	}
	h.row++
	if h.options.Sent != nil {
		h.options.Sent(row)
	}
	m := amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Persistent,
		MessageId: fmt.Sprintf("%s:%d", h.gtid, h.row), Type: e.Op, Timestamp: time.Unix(e.Committed, 0),
		Body: body,
	}
	if h.options.CloudEvents {
		m.Headers = h.attributes(&m, table, row)
	}
	return h.out.publish(h.ctx, "row."+e.Table+"."+e.Op, m)
}

// attributes gives the event's attributes. The number in the transaction orders events of one transaction, as its GTID
// does those of several.
func (h *handler) attributes(m *amqp.Publishing, table *schema.Table, row []any) amqp.Table {
	subject := table.Name
	for _, i := range table.PKColumns {
		subject += fmt.Sprintf("/%v", row[i])
	}
	return amqp.Table{
		"cloudEvents:specversion": "1.0", "cloudEvents:id": m.MessageId, "cloudEvents:source": "/canal/" + table.Schema,
		"cloudEvents:type": "com.example.row." + m.Type, "cloudEvents:subject": subject,
		"cloudEvents:time": m.Timestamp.UTC().Format(time.RFC3339), "cloudEvents:sequence": fmt.Sprintf("%s-%06d", h.gtid, h.row),
	}
}

// OnPosSynced passes on where a transaction ends.
func (h *handler) OnPosSynced(_ *replication.EventHeader, at mysql.Position, _ mysql.GTIDSet, _ bool) error {
	return h.out.push(h.ctx, sent{position: Position{File: at.Name, Offset: uint64(at.Pos)}})
}
