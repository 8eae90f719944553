package legacy

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/contract/expression"
	"banyan.dev/banyan/legacy/annotated"
)

// conditions compiles the CEL of `-- if:` lines for one contract.
type conditions struct{ compiler *expression.Compiler }

// newConditions knows the messages of the contract's operations, and those that files put.
func newConditions(c *contract.Contract, files []*annotated.File) (*conditions, error) {
	var of []protoreflect.FileDescriptor
	for _, op := range c.Operations() {
		of = append(of, op.Descriptor.ParentFile())
	}
	for _, f := range files {
		for _, b := range f.Blocks {
			if md := c.Message(protoreflect.FullName(b.Target)); b.Kind == annotated.Put && md != nil {
				of = append(of, md.ParentFile())
			}
		}
	}
	compiler, err := expression.NewCompiler(of)
	if err != nil {
		return nil, err
	}
	return &conditions{compiler}, nil
}

// condition is a compiled CEL expression over a message. It is safe for concurrent use.
type condition struct{ expression *expression.Expression }

// compile checks that src is CEL over md and gives a truth. Issues are texts with line and column relative to src.
func (c *conditions) compile(md protoreflect.MessageDescriptor, src string) (*condition, *cel.Issues, error) {
	e, issues, err := c.compiler.Compile(md, src, "true or false", cel.BoolType)
	if e == nil {
		return nil, issues, err
	}
	return &condition{e}, nil, nil
}

// holds evaluates the condition over m.
func (c *condition) holds(m protoreflect.Message) (bool, error) {
	v, err := c.expression.Eval(m)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fmt.Errorf("gave %v where true or false is needed", v)
	}
	return b, nil
}
