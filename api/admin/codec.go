package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// codec is the JSON of the admin API: the names of the .proto file and every field, on one line, always in the same form.
// What is read has to be wholly understood.
type codec struct{}

// ContentType gives JSON's.
func (codec) ContentType(any) string { return "application/json" }

// Marshal writes a message.
func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", v)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil { // protojson varies its spaces on purpose
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// Unmarshal reads a message.
func (codec) Unmarshal(text []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	if err := protojson.Unmarshal(text, m); err != nil {
		said := strings.ReplaceAll(err.Error(), "\u00a0", " ") // which protojson puts there at random
		return fmt.Errorf("the body is not the JSON of %s: %s", m.ProtoReflect().Descriptor().Name(), strings.TrimPrefix(said, "proto: "))
	}
	return nil
}

// NewDecoder reads one message, which is all that there is.
func (c codec) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(text)) == 0 {
			return io.EOF // the gateway takes it for an empty message
		}
		return c.Unmarshal(text, v)
	})
}

// NewEncoder writes messages.
func (c codec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		text, err := c.Marshal(v)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}
