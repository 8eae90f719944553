package expression

import (
	"fmt"
	"strconv"

	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Key is an expression that gives what something is routed by: a text or a whole number.
type Key struct{ expression *Expression }

// CompileKey is Compile for a key.
func (c *Compiler) CompileKey(md protoreflect.MessageDescriptor, src string) (*Key, *cel.Issues, error) {
	e, issues, err := c.Compile(md, src, "a text or a whole number", cel.StringType, cel.IntType, cel.UintType)
	if e == nil {
		return nil, issues, err
	}
	return &Key{e}, nil, nil
}

// Of gives a message's key: numbers in decimal. An empty text and 0 are no key, which is what unset fields are: ok is false.
func (k *Key) Of(m protoreflect.Message) (key string, ok bool, err error) {
	v, err := k.expression.Eval(m)
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
