package expression

import (
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Key is an expression that gives what something is routed by: a text or a whole number.
type Key struct{ expression *Expression }

const keyNeeds = "a text or a whole number"

func keyTypes() []*cel.Type { return []*cel.Type{cel.StringType, cel.IntType, cel.UintType} }

// CompileKey is Compile for a key.
func (c *Compiler) CompileKey(md protoreflect.MessageDescriptor, src string) (*Key, *cel.Issues, error) {
	e, issues, err := c.Compile(md, src, keyNeeds, keyTypes()...)
	if e == nil {
		return nil, issues, err
	}
	return &Key{e}, nil, nil
}

// Of gives a message's key: numbers in decimal. An empty text and 0 are no key, which is what unset fields are: ok is false.
func (k *Key) Of(m protoreflect.Message) (key string, ok bool, err error) { return k.OfCall(m, nil) }

// OfCall is Of for a request and its caller. A claim or header that he doesn't have is no key either, nor is an entry that a
// map of the message doesn't have.
func (k *Key) OfCall(m protoreflect.Message, caller *Caller) (key string, ok bool, err error) {
	v, err := k.expression.eval(m, caller)
	if absent(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	switch v := v.(type) {
	case string:
		return v, v != "", nil
	case int64:
		return strconv.FormatInt(v, 10), v != 0, nil
	case uint64:
		return strconv.FormatUint(v, 10), v != 0, nil
	default:
		return "", false, fmt.Errorf("the key's expression gave a %T where a text or a whole number is needed", v)
	}
}

// absent says whether an expression failed because a map has no such entry. CEL has no type for that.
func absent(err error) bool { return err != nil && strings.HasPrefix(err.Error(), "no such key") }
