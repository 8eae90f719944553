package openapi

import (
	"encoding/json"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Schemas gives the JSON Schemas of messages as events have them, and of all that they hold, by the names that refer to
// each other with #/components/schemas/ in front. Of a message in an event, what is empty may be left out.
func Schemas(messages []protoreflect.MessageDescriptor) (map[string]json.RawMessage, error) {
	b := &schemas{made: map[string]bool{}, replied: map[protoreflect.FullName]bool{}}
	for _, m := range slices.SortedFunc(slices.Values(messages), func(x, y protoreflect.MessageDescriptor) int {
		return strings.Compare(string(x.FullName()), string(y.FullName()))
	}) {
		b.message(m, event)
	}
	out := make(map[string]json.RawMessage, len(b.list))
	for _, m := range b.list {
		text, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out[m.name] = text
	}
	return out, nil
}
