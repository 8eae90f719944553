package asyncapi_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/api/asyncapi"
	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/protocol"
)

func options(t *testing.T) asyncapi.Options {
	t.Helper()
	c, faults := contract.Load(t.Context(), []contract.Root{contract.Dir("../../examples/shop/contract", "shop")})
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	order, customer := c.Message("shop.v2.Order"), c.Message("shop.v2.Customer")
	return asyncapi.Options{
		Title: "Events of the mirror main", Exchange: "banyan.events", History: "banyan.history", Native: true, Partitions: 3,
		Servers: []asyncapi.Server{
			{Name: "rabbitmq", Host: "mq:5672", VHost: "shop/x", Protocol: "amqp"}, {Name: "streams", Host: "mq:5552", VHost: "shop/x", Protocol: "rabbitmq-stream"},
		},
		Services: []asyncapi.Service{
			{Name: "orders", Exchange: "banyan.service.orders", Entities: []protoreflect.MessageDescriptor{order, customer}},
			{Name: "stats", Exchange: "banyan.service.stats", Entities: []protoreflect.MessageDescriptor{order}},
			{Name: "deaf", Exchange: "banyan.service.deaf"},
		},
	}
}

func document(t *testing.T, o asyncapi.Options) (text []byte, doc map[string]any) {
	t.Helper()
	text, err := asyncapi.Document(o)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := asyncapi.Document(o); err != nil || !bytes.Equal(text, again) {
		t.Errorf("a second document differs: %v", err)
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return text, doc
}

// at gives what a JSON pointer leads to; nil for nothing.
func at(doc any, pointer string) any {
	for part := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(pointer, "#"), "/"), "/") {
		object, ok := doc.(map[string]any)
		if !ok {
			return nil
		}
		doc = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return doc
}

// Everything that is referred to is there, and names are as the specification wants them.
func TestDocumentsAreWhole(t *testing.T) {
	whole := options(t)
	few, none := whole, whole
	few.Exchange, few.Services = "", nil
	none.History, none.Exchange = "", ""
	for _, o := range []asyncapi.Options{whole, few, none} {
		_, doc := document(t, o)
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				if target, ok := v["$ref"].(string); ok && at(doc, target) == nil {
					t.Errorf("%s leads to nothing", target)
				}
				for _, member := range v {
					walk(member)
				}
			case []any:
				for _, element := range v {
					walk(element)
				}
			}
		}
		walk(doc)
		for _, part := range []string{"channels", "operations", "servers", "components/messages", "components/schemas"} {
			names, _ := at(doc, part).(map[string]any)
			for name := range names {
				if !regexp.MustCompile(`^[\w.-]+$`).MatchString(name) {
					t.Errorf("%s: %q is no name", part, name)
				}
			}
		}
		for name, op := range at(doc, "operations").(map[string]any) {
			channel := at(op, "channel/$ref").(string)
			messages, _ := at(op, "messages").([]any)
			for _, m := range messages {
				if target := at(m, "$ref").(string); !strings.HasPrefix(target, channel+"/messages/") {
					t.Errorf("%s sends %s on %s", name, target, channel)
				}
			}
			if len(messages) == 0 {
				t.Errorf("%s sends nothing", name)
			}
		}
	}
}

func TestDocumentsTellWhereMessagesAre(t *testing.T) {
	_, doc := document(t, options(t))
	for pointer, want := range map[string]any{
		"asyncapi":                                            "3.0.0",
		"servers/rabbitmq/host":                               "mq:5672",
		"servers/rabbitmq/pathname":                           "/shop%2Fx",
		"servers/streams/protocol":                            "rabbitmq-stream",
		"channels/rows/address":                               "row.{table}.{op}",
		"channels/rows/bindings/amqp/is":                      "routingKey",
		"channels/history/address":                            "banyan.history",
		"channels/service.orders/address":                     "partition.{partition}",
		"channels/answers/address":                            nil,
		"operations/tell.orders/action":                       "send",
		"operations/fence.orders/reply/channel":               map[string]any{"$ref": "#/channels/answers"},
		"channels/service.orders/bindings/amqp/exchange/name": "banyan.service.orders",
		"channels/service.orders/messages/entity.shop.v2.Order": map[string]any{
			"$ref": "#/components/messages/entity.shop.v2.Order",
		},
	} {
		got, _ := json.Marshal(at(doc, pointer))
		wanted, _ := json.Marshal(want)
		if !bytes.Equal(got, wanted) {
			t.Errorf("%s is %s, want %s", pointer, got, wanted)
		}
	}
	if all, _ := at(doc, "channels/service.orders/parameters/partition/enum").([]any); len(all) != 3 || all[2] != "02" {
		t.Errorf("partitions %v", all)
	}
	if at(doc, "operations/tell.deaf") != nil || at(doc, "operations/fence.deaf") == nil {
		t.Error("a service without entities is told of fences only")
	}
	if at(doc, "channels/service.stats/messages/entity.shop.v2.Customer") != nil {
		t.Error("a service is told of what is not for it")
	}
}

// What the schemas of bodies take is what Banyan sends.
func TestSchemasTakeWhatIsSent(t *testing.T) {
	text, _ := document(t, options(t))
	compiler := jsonschema.NewCompiler()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.AddResource("doc.json", parsed); err != nil {
		t.Fatal(err)
	}
	const tail = `"version":"0001-0000000c-000000188bb7-00000001","origin":"banyan","writer":"app-1","committed":"2026-01-31T12:00:00Z","transaction":{"id":"0-1-75","row":1}}`
	entity := func(e protocol.EntityEvent) string {
		e.ID, e.Origin, e.Version, e.Event = "7", protocol.OriginLegacy, "0001-0000000c-000000188bb7-00000001", "0-1-75:1:shop.v2.Order/7"
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	for _, test := range []struct {
		message, body string
		good          bool
	}{
		{"dev.banyan.row.update.v1", `{"op":"update","schema":"shop","table":"counters","key":{"a":"b"},"before":{"v":500},"after":{"v":null},` + tail, true},
		{"dev.banyan.row.update.v1", `{"op":"update","schema":"shop","table":"counters","key":{"a":"b"},"after":{"v":null},` + tail, false},
		{"dev.banyan.row.insert.v1", `{"op":"insert","schema":"shop","table":"counters","after":{"v":1},` + tail, true},
		{"dev.banyan.row.insert.v1", `{"op":"delete","schema":"shop","table":"counters","after":{"v":1},` + tail, false},
		{"dev.banyan.row.read.v1", `{"op":"read","schema":"shop","table":"counters","key":{"a":"b"},"after":{"v":1},"version":"0001-0000000c-000000188bb7-00000000","read":"2026-01-31T12:00:00.123456Z","backfill":{"id":7,"row":1}}`, true},
		{"dev.banyan.row.read.v1", `{"op":"read","schema":"shop","table":"counters","key":{"a":"b"},"after":{"v":1},"version":"0001-0000000c-000000188bb7-00000000"}`, false},
		{"dev.banyan.row.cascade.v1", `{"op":"cascade","schema":"shop","table":"orders","key":{"id":"7"},"cause":"delete","children":[{"constraint":"c","schema":"shop","table":"lines","rule":"CASCADE","match":{"order_id":"7"},"children":[{"constraint":"d","schema":"shop","table":"serials","rule":"SET NULL","columns":["line_id"],"references":["id"]}]}],` + tail, true},
		{"dev.banyan.table.rename.v1", `{"op":"rename","schema":"shop","table":"a","to":{"schema":"shop","table":"b"},"statement":"RENAME …",` + tail, true},
		{"dev.banyan.row.opaque.v1", `{"op":"opaque","schema":"shop","table":"",` + tail, true},
		{"entity.shop.v2.Order", entity(protocol.EntityEvent{Entity: "shop.v2.Order", Key: "90", Data: []byte(`{"id":"7","customerId":"90"}`)}), true},
		{"entity.shop.v2.Order", entity(protocol.EntityEvent{Entity: "shop.v2.Order", Key: "90", Data: []byte(`{"id":7.5}`)}), false},
		{"entity.shop.v2.Order", entity(protocol.EntityEvent{Entity: "shop.v2.Order", Deleted: true}), true},
		{"entity.shop.v2.Order", entity(protocol.EntityEvent{Entity: "shop.v2.Customer", Deleted: true}), false},
		{"dev.banyan.fence.v1", `{"id":"f","service":"orders","capability":"","epoch":0}`, true},
		{"dev.banyan.fence.v1", `{"id":"f","service":"orders","capability":"","epoch":-1}`, false},
		{"dev.banyan.fence.v1", `{"id":"f","service":"orders","capability":"orders","epoch":7,"back":true}`, true},
		{"dev.banyan.fence.v1", `{"id":"f","service":"orders","capability":"orders","epoch":7,"back":"yes"}`, false},
		{"answer", `{"fence":"f","service":"orders","parked":["7"],"more":true,"committed":{"w":["7"]},"error":""}`, true},
	} {
		schema, err := compiler.Compile("doc.json#/components/messages/" + test.message + "/payload")
		if err != nil {
			t.Fatal(err)
		}
		body, err := jsonschema.UnmarshalJSON(strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(body); (err == nil) != test.good {
			t.Errorf("%s %s: %v", test.message, test.body, err)
		}
	}
}
