package legacy

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/strangler"
)

// expectation is a compiled `-- expect:`.
type expectation struct {
	ast     *annotated.Expect
	message []piece
}

func (e *expectation) holds(n int64) bool {
	switch e.ast.Op {
	case "!=":
		return n != e.ast.N
	case "<":
		return n < e.ast.N
	case "<=":
		return n <= e.ast.N
	case ">":
		return n > e.ast.N
	case ">=":
		return n >= e.ast.N
	default:
		return n == e.ast.N
	}
}

// spoken binds a parameter that is part of a message to the caller. A field is told as the contract has it, so it must be
// a single plain value; a column is told as it is.
func (b *binder) spoken(s *statement, ast *annotated.Param) *param {
	p := b.param(s, ast)
	if p.leaf == nil {
		if p.list {
			b.faults.Add(ast.Pos, "name a column of a :one or :opt", "{%s} is a list of rows", strings.Join(ast.Path, "."))
		}
		return p
	}
	element := p.origin == fromElement && len(p.path) == 0
	if (p.leaf.IsList() && !element) || p.leaf.IsMap() || p.leaf.Message() != nil || p.leaf.Kind() == protoreflect.BytesKind {
		b.faults.Add(ast.Pos, "name single fields: text, numbers, truths and enums", "{%s} is no single plain value", strings.Join(ast.Path, "."))
	}
	if ast.Func != "" {
		b.faults.Add(ast.Pos, "write {"+strings.Join(ast.Path, ".")+"}", ":%s() is for SQL", ast.Func)
	}
	return p
}

// unexpected is the error that `-- expect:` declares.
func (s *statement) unexpected(r *run) error {
	var msg strings.Builder
	for _, p := range s.expect.message {
		if p.param == nil {
			msg.WriteString(p.text)
			continue
		}
		if p.param.leaf != nil {
			msg.WriteString(tell(p.param.leaf, p.param.field(r)))
			continue
		}
		v, err := p.param.scalar(r)
		if err != nil {
			return err
		}
		msg.WriteString(tellColumn(v))
	}
	return &strangler.Error{
		Code: s.expect.ast.Code, Reason: s.expect.ast.Reason, Message: msg.String(),
		Domain: string(s.op.domain()),
	}
}

// tell gives a field's value as words: an enum by its name, nothing for what is unset.
func tell(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	if fd.Kind() == protoreflect.EnumKind {
		if known := fd.Enum().Values().ByNumber(v.Enum()); known != nil {
			return string(known.Name())
		}
		return fmt.Sprint(v.Enum())
	}
	return printable(v.String())
}

func tellColumn(v driver.Value) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return printable(string(v))
	default:
		return printable(fmt.Sprint(v))
	}
}

// mostTold bounds a value in a message, in characters.
const mostTold = 100

// printable takes what can't be shown out of a text, and cuts a long one.
func printable(s string) string {
	out := make([]rune, 0, min(len(s), mostTold))
	for _, c := range strings.ToValidUTF8(s, "\uFFFD") {
		if len(out) == mostTold {
			return string(out) + "…"
		}
		if !unicode.IsPrint(c) {
			c = '\uFFFD'
		}
		out = append(out, c)
	}
	return string(out)
}

// domain is the ErrorInfo domain of an operation's own errors: its proto package.
func (op *operation) domain() protoreflect.FullName {
	if op.rpc == nil {
		return op.input.ParentFile().Package()
	}
	return op.rpc.Descriptor.ParentFile().Package()
}
