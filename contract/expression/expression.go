package expression

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Compiler compiles expressions for one contract. It is not safe for concurrent use.
type Compiler struct {
	base  *cel.Env
	whole string                           // the name of the message as a whole
	envs  map[protoreflect.FullName]*scope // by message

	ofCallers, ofConditions map[protoreflect.FullName]*cel.Env
}

// scope is what expressions over a message have.
type scope struct {
	env *cel.Env
	// fields are found once: CEL makes what it tells of a field anew each time.
	fields map[string]*types.FieldType
}

// Option changes what expressions of a Compiler can say.
type Option func(*options)

type options struct {
	whole string
	env   []cel.EnvOption
}

// Whole is the name by which expressions have the message as a whole, in place of `request`.
func Whole(name string) Option { return func(o *options) { o.whole = name } }

// TextFunctions lets expressions take texts apart and put them together: split, join, replace, substring, format and the
// like, as cel-go's ext.Strings has them.
func TextFunctions() Option {
	return func(o *options) { o.env = append(o.env, ext.Strings(ext.StringsVersion(textFunctions))) }
}

// textFunctions is the version of ext.Strings that is promised.
const textFunctions = 4

// NewCompiler knows the messages of files, with all that their fields may be. All are registered at once: CEL copies its
// whole registry whenever one comes later.
func NewCompiler(files []protoreflect.FileDescriptor, more ...Option) (*Compiler, error) {
	chosen := options{whole: "request", env: []cel.EnvOption{cel.OptionalTypes()}}
	for _, o := range more {
		o(&chosen)
	}
	opts := chosen.env
	seen := map[string]bool{}
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if seen[file.Path()] {
			return
		}
		seen[file.Path()] = true
		opts = append(opts, cel.TypeDescs(own(file)))
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).FileDescriptor)
		}
	}
	for _, f := range files {
		add(f)
	}
	base, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("making the CEL environment: %w", err)
	}
	return &Compiler{
		base: base, whole: chosen.whole, envs: map[protoreflect.FullName]*scope{},
		ofCallers: map[protoreflect.FullName]*cel.Env{}, ofConditions: map[protoreflect.FullName]*cel.Env{},
	}, nil
}

// own keeps CEL to the contract's file: it takes one of the same path that is linked into this program for it, such as the
// demo's, whatever that one declares. Those that come with Banyan are the linked ones, and CEL knows some by their path.
func own(file protoreflect.FileDescriptor) protoreflect.FileDescriptor {
	if strings.HasPrefix(file.Path(), "google/") {
		return file
	}
	return elsewhere{file}
}

// elsewhere is a file under a path that none has that is linked into a program.
type elsewhere struct{ protoreflect.FileDescriptor }

func (e elsewhere) Path() string { return "contract:" + e.FileDescriptor.Path() }

// scope gives what expressions over a message have.
func (c *Compiler) scope(md protoreflect.MessageDescriptor) (*scope, error) {
	if s := c.envs[md.FullName()]; s != nil {
		return s, nil
	}
	s := &scope{fields: map[string]*types.FieldType{}}
	opts := []cel.EnvOption{cel.Container(string(md.ParentFile().Package()))}
	fields := md.Fields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		ft, ok := c.base.CELTypeProvider().FindStructFieldType(string(md.FullName()), name)
		if !ok {
			return nil, fmt.Errorf("field %s of %s has no CEL type", name, md.FullName())
		}
		s.fields[name] = ft
		opts = append(opts, cel.Variable(name, ft.Type))
	}
	if fields.ByName(protoreflect.Name(c.whole)) == nil {
		opts = append(opts, cel.Variable(c.whole, cel.ObjectType(string(md.FullName()))))
	}
	var err error
	if s.env, err = c.base.Extend(opts...); err != nil {
		return nil, err
	}
	c.envs[md.FullName()] = s
	return s, nil
}

// Compile checks that src is CEL over md and gives one of types, or any where that can't be told beforehand. needed says in
// words what it has to give, for the error. Issues are texts with line and column relative to src.
func (c *Compiler) Compile(md protoreflect.MessageDescriptor, src, needed string, types ...*cel.Type) (*Expression, *cel.Issues, error) {
	e, iss, err := c.CompileAny(md, src)
	if e == nil {
		return nil, iss, err
	}
	if err := e.gives(needed, types...); err != nil {
		return nil, nil, err
	}
	return e, nil, nil
}

// gives holds what the expression gives to what is needed.
func (e *Expression) gives(needed string, types ...*cel.Type) error {
	fits := e.Type() == cel.DynType
	for _, t := range types {
		fits = fits || e.Type() == t
	}
	if !fits {
		return fmt.Errorf("gives a %s where %s is needed", e.Type(), needed)
	}
	return nil
}

// CompileAny is Compile for an expression of any type, which the caller looks at.
func (c *Compiler) CompileAny(md protoreflect.MessageDescriptor, src string) (*Expression, *cel.Issues, error) {
	s, err := c.scope(md)
	if err != nil {
		return nil, nil, err
	}
	return compile(s.env, s.fields, c.whole, md, src)
}

// compile compiles an expression whose variables are fields and, by the name whole, the message.
func compile(env *cel.Env, fields map[string]*types.FieldType, whole string, md protoreflect.MessageDescriptor, src string) (*Expression, *cel.Issues, error) {
	ast, iss := env.Compile(src)
	if len(iss.Errors()) > 0 {
		return nil, iss, nil
	}
	prg, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, nil, err
	}
	return &Expression{program: prg, ast: ast, fields: fields, message: md, whole: whole}, nil, nil
}

// Expression is compiled CEL over a message. It is safe for concurrent use.
type Expression struct {
	program cel.Program
	ast     *cel.Ast
	fields  map[string]*types.FieldType
	message protoreflect.MessageDescriptor
	whole   string
	headers []string // that it asks for
}

// Type is what the expression gives; dyn where that can't be told beforehand.
func (e *Expression) Type() *cel.Type { return e.ast.OutputType() }

// Eval evaluates the expression over m, which is of the message that it was compiled for.
func (e *Expression) Eval(m protoreflect.Message) (any, error) {
	return e.eval(m, nil)
}

func (e *Expression) eval(m protoreflect.Message, caller *Caller) (any, error) {
	out, _, err := e.program.Eval(&activation{e: e, msg: m.Interface(), caller: caller})
	if err != nil {
		return nil, err
	}
	return out.Value(), nil
}

// Value is Eval for who needs CEL's own value.
func (e *Expression) Value(m protoreflect.Message) (ref.Val, error) {
	out, _, err := e.program.Eval(&activation{e: e, msg: m.Interface()})
	return out, err
}

// activation resolves the fields of a message when an expression asks for them, so that no map of all fields is made
// for each request.
type activation struct {
	e      *Expression
	msg    proto.Message
	caller *Caller
	// request gives msg where it is asked for only; failed is why it could not.
	request func() (protoreflect.Message, error)
	failed  error
}

// ResolveName gives a field by name, the message by the name that the whole has, or something of the caller.
func (a *activation) ResolveName(name string) (any, bool) {
	if ft, ok := a.e.fields[name]; ok {
		v, err := ft.GetFrom(a.msg)
		return v, err == nil
	}
	switch {
	case name == a.e.whole:
		return a.asked()
	case a.caller != nil:
		return a.caller.resolve(name, a.e.headers)
	}
	return nil, false
}

// asked gives the message.
func (a *activation) asked() (any, bool) {
	if a.msg == nil && a.request != nil {
		m, err := a.request()
		if err != nil {
			a.failed = err
			return nil, false
		}
		a.msg = m.Interface()
	}
	return a.msg, a.msg != nil
}

// Parent gives nil: there is no outer scope.
func (a *activation) Parent() cel.Activation { return nil }
