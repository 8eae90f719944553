// Package jsonwire writes the JSON form of protobuf messages (the proto3 JSON mapping) straight from their wire form,
// by plans that are made once from the descriptors. There is no message in between.
//
// What it writes is what protojson writes, up to white space. Wire forms that no encoder makes without a reason (a
// singular field twice, a repeated field in pieces), and the few types that need a registry or proto2's rules, go
// through dynamicpb and protojson, message by message.
//
// Formats: protobuf.dev/programming-guides/encoding (wire), protobuf.dev/programming-guides/json (mapping).
package jsonwire
