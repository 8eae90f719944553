package legacy

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/annotated"
)

// conditions compiles the CEL of `-- if:` lines for one contract.
type conditions struct {
	base *cel.Env
	envs map[protoreflect.FullName]*cel.Env // by message
}

// newConditions knows the messages of the contract's operations, and those that files put. All are registered at once:
// CEL copies its whole registry whenever one comes later.
func newConditions(c *contract.Contract, files []*annotated.File) (*conditions, error) {
	opts := []cel.EnvOption{cel.OptionalTypes()}
	seen := map[string]bool{}
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) { // with all that its messages' fields may be
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		opts = append(opts, cel.TypeDescs(file))
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
	}
	for _, op := range c.Operations() {
		add(op.Descriptor.ParentFile())
	}
	for _, f := range files {
		for _, b := range f.Blocks {
			if md := c.Message(protoreflect.FullName(b.Target)); b.Kind == annotated.Put && md != nil {
				add(md.ParentFile())
			}
		}
	}
	base, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment: %w", err)
	}
	return &conditions{base: base, envs: map[protoreflect.FullName]*cel.Env{}}, nil
}

// env gives the environment of expressions over a message: its fields by name, and the whole as `request` unless the
// message has a field of that name.
func (c *conditions) env(md protoreflect.MessageDescriptor) (*cel.Env, error) {
	if env := c.envs[md.FullName()]; env != nil {
		return env, nil
	}
	opts := []cel.EnvOption{cel.Container(string(md.ParentFile().Package()))}
	fields := md.Fields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		ft, ok := c.base.CELTypeProvider().FindStructFieldType(string(md.FullName()), name)
		if !ok {
			return nil, fmt.Errorf("field %s of %s has no CEL type", name, md.FullName())
		}
		opts = append(opts, cel.Variable(name, ft.Type))
	}
	if fields.ByName("request") == nil {
		opts = append(opts, cel.Variable("request", cel.ObjectType(string(md.FullName()))))
	}
	env, err := c.base.Extend(opts...)
	if err != nil {
		return nil, err
	}
	c.envs[md.FullName()] = env
	return env, nil
}

// condition is a compiled CEL expression over a message. It is safe for concurrent use.
type condition struct {
	program cel.Program
	env     *cel.Env
	message string
}

// compile checks that src is CEL over md and gives a truth. Issues are texts with line and column relative to src.
func (c *conditions) compile(md protoreflect.MessageDescriptor, src string) (*condition, *cel.Issues, error) {
	env, err := c.env(md)
	if err != nil {
		return nil, nil, err
	}
	ast, iss := env.Compile(src)
	if len(iss.Errors()) > 0 {
		return nil, iss, nil
	}
	if ast.OutputType() != cel.BoolType && ast.OutputType() != cel.DynType {
		return nil, nil, fmt.Errorf("gives a %s where true or false is needed", ast.OutputType())
	}
	prg, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, nil, err
	}
	return &condition{program: prg, env: env, message: string(md.FullName())}, nil, nil
}

// holds evaluates the condition over m.
func (c *condition) holds(m protoreflect.Message) (bool, error) {
	out, _, err := c.program.Eval(&activation{c: c, msg: m.Interface()})
	if err != nil {
		return false, err
	}
	b, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("gave %v where true or false is needed", out.Value())
	}
	return b, nil
}

// activation resolves the fields of a message when an expression asks for them, so that no map of all fields is made
// for each request.
type activation struct {
	c   *condition
	msg proto.Message
}

// ResolveName gives a field by name, or the message as `request`.
func (a *activation) ResolveName(name string) (any, bool) {
	ft, ok := a.c.env.CELTypeProvider().FindStructFieldType(a.c.message, name)
	if !ok {
		if name == "request" {
			return a.msg, true
		}
		return nil, false
	}
	v, err := ft.GetFrom(a.msg)
	if err != nil {
		return nil, false
	}
	return v, true
}

// Parent gives nil: there is no outer scope.
func (a *activation) Parent() cel.Activation { return nil }
