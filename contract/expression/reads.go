package expression

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Reads gives the paths of the message's fields that the expression reads, as far as they go through single messages, in
// the order of the text and each once. An empty path stands for the message as a whole. A variable of a macro that has a
// field's name counts as that field: the paths may be more than are read, never fewer.
func (e *Expression) Reads() [][]protoreflect.FieldDescriptor {
	var out [][]protoreflect.FieldDescriptor
	var visit func(ast.Expr)
	visit = func(x ast.Expr) {
		if path, ok := e.path(x); ok {
			if !slices.ContainsFunc(out, func(have []protoreflect.FieldDescriptor) bool { return slices.Equal(have, path) }) {
				out = append(out, path)
			}
			return
		}
		for _, part := range parts(x) {
			visit(part)
		}
	}
	visit(e.ast.NativeRep().Expr())
	return out
}

// path gives the path that an expression selects; ok is false when it is something else.
func (e *Expression) path(x ast.Expr) (path []protoreflect.FieldDescriptor, ok bool) {
	switch x.Kind() {
	case ast.IdentKind:
		if fd := e.message.Fields().ByName(protoreflect.Name(x.AsIdent())); fd != nil {
			return []protoreflect.FieldDescriptor{fd}, true
		}
		return nil, x.AsIdent() == e.whole
	case ast.SelectKind:
		within, ok := e.path(x.AsSelect().Operand())
		if !ok {
			return nil, false
		}
		md := e.message
		if len(within) > 0 {
			last := within[len(within)-1]
			if last.IsList() || last.IsMap() || last.Message() == nil {
				return within, true
			}
			md = last.Message()
		}
		if fd := md.Fields().ByName(protoreflect.Name(x.AsSelect().FieldName())); fd != nil {
			return append(slices.Clone(within), fd), true
		}
		return within, true
	default:
		return nil, false
	}
}

// parts gives the expressions that one is made of.
func parts(x ast.Expr) (out []ast.Expr) {
	switch x.Kind() {
	case ast.SelectKind:
		return []ast.Expr{x.AsSelect().Operand()}
	case ast.CallKind:
		if call := x.AsCall(); call.IsMemberFunction() {
			out = append(out, call.Target())
		}
		return append(out, x.AsCall().Args()...)
	case ast.ListKind:
		return x.AsList().Elements()
	case ast.MapKind:
		for _, entry := range x.AsMap().Entries() {
			out = append(out, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, field := range x.AsStruct().Fields() {
			out = append(out, field.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		c := x.AsComprehension()
		return []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}
	}
	return out
}

// Texts gives the literal texts that the expression may give as its value, or as an item of its list.
func (e *Expression) Texts() (out []string) {
	var visit func(ast.Expr)
	visit = func(x ast.Expr) {
		switch x.Kind() {
		case ast.LiteralKind:
			if text, ok := x.AsLiteral().(types.String); ok {
				out = append(out, string(text))
			}
		case ast.ListKind:
			for _, item := range x.AsList().Elements() {
				visit(item)
			}
		case ast.CallKind:
			switch call := x.AsCall(); call.FunctionName() {
			case operators.Conditional:
				visit(call.Args()[1])
				visit(call.Args()[2])
			case "optional.of":
				visit(call.Args()[0])
			}
		}
	}
	visit(e.ast.NativeRep().Expr())
	return out
}
