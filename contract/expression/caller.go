package expression

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The variables that are about the caller.
const (
	requestVariable = "request"
	claimsVariable  = "claims"
	headersVariable = "headers"
	clientVariable  = "client"
)

// Caller is what an expression can ask of the caller.
type Caller struct {
	// Claims are strangler.Call's. They are not changed.
	Claims map[string]any
	// Client is strangler.Call's.
	Client string
	// Header gives the values of one header, whose name is in lower case; nil when nothing is known of any.
	Header func(name string) []string
}

// callerEnv gives the environment of expressions over a message and its caller.
func (c *Compiler) callerEnv(md protoreflect.MessageDescriptor) (*cel.Env, error) {
	if env := c.ofCallers[md.FullName()]; env != nil {
		return env, nil
	}
	base, err := c.scope(md)
	if err != nil {
		return nil, err
	}
	var opts []cel.EnvOption
	for _, v := range callerVariables() {
		if md.Fields().ByName(protoreflect.Name(v.Name())) == nil {
			opts = append(opts, cel.VariableDecls(v))
		}
	}
	env, err := base.env.Extend(opts...)
	if err != nil {
		return nil, err
	}
	c.ofCallers[md.FullName()] = env
	return env, nil
}

// conditionEnv gives the environment of conditions on a caller. Fields of the message are only found below request, so that
// none can pass for a claim.
func (c *Compiler) conditionEnv(md protoreflect.MessageDescriptor) (*cel.Env, error) {
	if env := c.ofConditions[md.FullName()]; env != nil {
		return env, nil
	}
	env, err := c.base.Extend(
		cel.Container(string(md.ParentFile().Package())),
		cel.Variable(requestVariable, cel.ObjectType(string(md.FullName()))),
		cel.Variable(clientVariable, cel.StringType),
		cel.VariableDecls(callerVariables()...),
	)
	if err != nil {
		return nil, err
	}
	c.ofConditions[md.FullName()] = env
	return env, nil
}

// headersOf gives the names of the headers that an expression asks for. All have to be written out: transports give one at
// a time.
func headersOf(checked *cel.Ast) ([]string, error) {
	var names []string
	for _, use := range ast.MatchDescendants(ast.NavigateAST(checked.NativeRep()), ast.KindMatcher(ast.IdentKind)) {
		if use.AsIdent() != headersVariable {
			continue
		}
		name, ok := headerName(use)
		switch {
		case !ok:
			return nil, errors.New(`headers can only be asked for one by its name, such as headers["x-tenant"]`)
		case secretHeaders[strings.ToLower(name)]:
			return nil, fmt.Errorf("the header %s is a secret between the caller and who checks it; ask for what it says by claims", name)
		}
		names = append(names, name)
	}
	return names, nil
}

// headerName gives the name by which a use of all headers takes one of them.
func headerName(use ast.NavigableExpr) (string, bool) {
	parent, ok := use.Parent()
	if !ok {
		return "", false
	}
	switch parent.Kind() {
	case ast.SelectKind:
		return parent.AsSelect().FieldName(), true
	case ast.CallKind:
	default:
		return "", false
	}
	args := parent.AsCall().Args()
	if len(args) != 2 {
		return "", false
	}
	all, one := args[0], args[1]
	switch parent.AsCall().FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
	case operators.In:
		all, one = one, all
	default:
		return "", false
	}
	if all.ID() != use.ID() || one.Kind() != ast.LiteralKind {
		return "", false
	}
	name, ok := one.AsLiteral().(types.String)
	return string(name), ok
}

// resolve gives a variable about the caller. Several values of a header are joined (RFC 9110, 5.3).
func (c *Caller) resolve(name string, headers []string) (any, bool) {
	switch name {
	case claimsVariable:
		if c.Claims == nil {
			return map[string]any{}, true
		}
		return c.Claims, true
	case headersVariable:
		given := make(map[string]string, len(headers))
		for _, h := range headers {
			if c.Header == nil {
				break
			}
			if values := c.Header(strings.ToLower(h)); len(values) > 0 {
				given[h] = strings.Join(values, ", ")
			}
		}
		return given, true
	case clientVariable:
		return c.Client, true
	}
	return nil, false
}

// secretHeaders are not shown to expressions: what those give may be told in logs and errors, or kept.
var secretHeaders = map[string]bool{"authorization": true, "proxy-authorization": true, "cookie": true}

// callerVariables are declared where a caller is known.
func callerVariables() []*decls.VariableDecl {
	return []*decls.VariableDecl{
		decls.NewVariable(claimsVariable, types.NewMapType(types.StringType, types.DynType)),
		decls.NewVariable(headersVariable, types.NewMapType(types.StringType, types.StringType)),
	}
}

// forCallers holds an expression to what it has to give, and finds the headers that it asks for; headers says that the variable
// is not a field of the message.
func (e *Expression) forCallers(headers bool, needed string, types ...*cel.Type) (err error) {
	if err := e.gives(needed, types...); err != nil || !headers {
		return err
	}
	e.headers, err = headersOf(e.ast)
	return err
}

// CompileRequestKey is CompileKey for a request, which may also be routed by its caller: `claims`, and `headers` by their
// names in lower case. A field of the message hides a variable of its name.
func (c *Compiler) CompileRequestKey(md protoreflect.MessageDescriptor, src string) (*Key, *cel.Issues, error) {
	env, err := c.callerEnv(md)
	if err != nil {
		return nil, nil, err
	}
	e, issues, err := compile(env, c.envs[md.FullName()].fields, c.whole, md, src)
	if e == nil {
		return nil, issues, err
	}
	ours := md.Fields().ByName(headersVariable) == nil
	if err := e.forCallers(ours, keyNeeds, keyTypes()...); err != nil {
		return nil, nil, err
	}
	return &Key{e}, nil, nil
}

// Condition is an expression that says whether a caller may do what he asks for.
type Condition struct{ expression *Expression }

// CompileCondition compiles CEL over `claims`, `client`, `headers` by their names in lower case, and `request`.
func (c *Compiler) CompileCondition(md protoreflect.MessageDescriptor, src string) (*Condition, *cel.Issues, error) {
	env, err := c.conditionEnv(md)
	if err != nil {
		return nil, nil, err
	}
	e, issues, err := compile(env, nil, requestVariable, md, src)
	if e == nil {
		return nil, issues, err
	}
	if err := e.forCallers(true, "a truth (bool)", cel.BoolType); err != nil {
		return nil, nil, err
	}
	return &Condition{e}, nil, nil
}

// Holds evaluates the condition. What it asks for and isn't there, such as a claim, is an error, as CEL has it. request is
// asked for only where the condition does.
func (c *Condition) Holds(request func() (protoreflect.Message, error), caller *Caller) (bool, error) {
	a := &activation{e: c.expression, request: request, caller: caller}
	out, _, err := c.expression.program.Eval(a)
	switch {
	case a.failed != nil:
		return false, a.failed
	case err != nil:
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("the condition gave a %T where a truth is needed", out.Value())
	}
	return holds, nil
}
