package consumer

import (
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/apipb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/typepb"

	"banyan.dev/banyan/protocol"
)

// What an event has of a message is the same in both forms, through the wire and back, also when it is nothing at all.
func TestMessageReadsBothForms(t *testing.T) {
	for name, want := range map[string]*apipb.Api{
		"full":  {Name: "n", Methods: []*apipb.Method{{Name: "m", Options: []*typepb.Option{{Name: "o"}}}}, Syntax: typepb.Syntax_SYNTAX_PROTO3},
		"empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			wire, err := proto.MarshalOptions{}.MarshalAppend([]byte{}, want)
			if err != nil {
				t.Fatal(err)
			}
			text, err := protojson.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []protocol.EntityEvent{{Proto: wire}, {Data: text}} {
				e.Entity, e.ID, e.Version, e.Origin = "google.protobuf.Api", "7", "v", protocol.OriginLegacy
				body, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				read, err := readEvent(body)
				if err != nil {
					t.Fatalf("%s: %v", body, err)
				}
				got := &apipb.Api{}
				if err := Message(read, got); err != nil || !proto.Equal(got, want) {
					t.Errorf("%s: %v, %v", body, got, err)
				}
			}
		})
	}
}

// A field that this build doesn't know is refused wherever it is.
func TestMessageRefusesWhatItDoesNotKnow(t *testing.T) {
	strange := protowire.AppendVarint(protowire.AppendTag(nil, 77, protowire.VarintType), 1)
	deep := func(fields ...protowire.Number) []byte {
		out := strange
		for _, f := range fields {
			out = protowire.AppendBytes(protowire.AppendTag(nil, f, protowire.BytesType), out)
		}
		return out
	}
	inMap := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "k")
	inMap = append(inMap, deep(2)...)
	for name, test := range map[string]struct {
		e    protocol.EntityEvent
		into proto.Message
		want string
	}{
		"on top":      {protocol.EntityEvent{Entity: "google.protobuf.Api", Proto: strange}, &apipb.Api{}, "Api has no field with the number 77"},
		"in a list":   {protocol.EntityEvent{Entity: "google.protobuf.Api", Proto: deep(6, 2)}, &apipb.Api{}, "Option has no field with the number 77"},
		"in a field":  {protocol.EntityEvent{Entity: "google.protobuf.Api", Proto: deep(5)}, &apipb.Api{}, "SourceContext has no field with the number 77"},
		"in a map":    {protocol.EntityEvent{Entity: "google.protobuf.Struct", Proto: protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), inMap)}, &structpb.Struct{}, "Value has no field with the number 77"},
		"in JSON":     {protocol.EntityEvent{Entity: "google.protobuf.Api", Data: []byte(`{"strange":1}`)}, &apipb.Api{}, "strange"},
		"no protobuf": {protocol.EntityEvent{Entity: "google.protobuf.Api", Proto: []byte{0xff}}, &apipb.Api{}, "google.protobuf.Api 7: proto:"},
		"a deletion":  {protocol.EntityEvent{Entity: "google.protobuf.Api", Deleted: true}, &apipb.Api{}, "a deletion"},
		"another":     {protocol.EntityEvent{Entity: "google.protobuf.Type", Data: []byte(`{}`)}, &apipb.Api{}, "about a google.protobuf.Type"},
	} {
		test.e.ID = "7"
		if err := Message(test.e, test.into); err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "\u00a0", " "), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, body := range []string{
		`{"entity":"a","id":"1","version":"v","origin":"legacy"}`,
		`{"entity":"a","id":"1","version":"v","origin":"legacy","data":{},"proto":""}`,
		`{"entity":"a","id":"1","version":"v","origin":"legacy","proto":"?"}`,
	} {
		if _, err := readEvent([]byte(body)); err == nil {
			t.Errorf("%s is an event", body)
		}
	}
}
