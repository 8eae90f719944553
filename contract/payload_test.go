package contract_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
)

func payloadMessage(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	return mustLoad(t, root("a.proto", `syntax = "proto3"; package a.v1;
service S { rpc Do(M) returns (M); }
message M { string s = 1; map<string, int32> m = 2; }`)).Message("a.v1.M")
}

func TestPayloadMakesEachFormFromTheOther(t *testing.T) {
	md := payloadMessage(t)
	m := dynamicpb.NewMessage(md)
	m.Set(md.Fields().ByName("s"), protoreflect.ValueOfString("hello"))
	p := contract.FromMessage(m)
	if p.HasWire() {
		t.Error("the wire form is there before it was asked for")
	}
	wire, err := p.Wire()
	if err != nil || !p.HasWire() {
		t.Fatalf("Wire: %v", err)
	}
	back, err := contract.FromWire(md, wire).Message()
	if err != nil || !proto.Equal(back.Interface(), m) {
		t.Errorf("Message: %v, %v", back, err)
	}
	empty := contract.FromWire(md, nil)
	if wire, err := empty.Wire(); err != nil || wire == nil || len(wire) != 0 {
		t.Errorf("the wire form of nothing: %v, %v", wire, err)
	}
}

func TestPayloadRefusesMalformedBytes(t *testing.T) {
	md := payloadMessage(t)
	bad := map[string][]byte{
		"cut off":      {0x0a, 0x05, 'a'},
		"not UTF-8":    {0x0a, 0x01, 0xff},
		"key, bad key": {0x12, 0x05, 0x0a, 0x01, 'k', 0x08, 0x01},
	}
	for name, b := range bad {
		if m, err := contract.FromWire(md, b).Message(); err == nil {
			t.Errorf("%s: %v", name, m)
		}
	}
}
