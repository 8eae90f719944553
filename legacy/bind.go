package legacy

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/annotated"
)

// param binds a parameter to where its value comes from. It gives a param that yields NULL after a fault.
func (b *binder) param(s *statement, ast *annotated.Param) *param {
	p := &param{ast: ast, origin: fromClaim}
	if ast.IsPage() && s.ast.Kind == annotated.Many {
		p.origin = fromPage
		return p
	}
	first := ast.Path[0]
	earlier := s.earlier(first)
	field := s.op.input.Fields().ByName(protoreflect.Name(first))
	inEach := s.each != nil && s.each.name == first
	switch {
	case inEach:
		b.elementParam(s, p)
	case earlier != nil && field != nil:
		b.faults.Add(ast.Pos, "rename the statement", "%q is both an earlier statement and a field of %s", first, s.op.input.FullName())
	case earlier != nil:
		b.resultParam(p, earlier)
	case first == "auth":
		b.claimParam(s, p)
	case field != nil:
		b.fieldParam(s, p, s.op.input, ast.Path)
	default:
		b.faults.Add(ast.Pos, "use a field of the request, an earlier statement's name, or the name that as= gives",
			"%s is neither a field of %s nor an earlier statement%s", ast, s.op.input.FullName(), near(s.op.input, first))
	}
	return p
}

// earlier finds a statement above s by name.
func (s *statement) earlier(name string) *statement {
	for _, o := range s.op.statements {
		if o != s && o.ast.Name == name {
			return o
		}
	}
	return nil
}

// fieldParam binds a path into the input.
func (b *binder) fieldParam(s *statement, p *param, md protoreflect.MessageDescriptor, names []string) {
	path, f := fieldPath(md, names)
	if f != "" {
		b.faults.Add(p.ast.Pos, "", "%s: %s", p.ast, f)
		return
	}
	p.origin, p.path = fromRequest, path
	if m := s.op.mask; m != nil && path[0] == m.resource && len(names) > 1 {
		p.maskPath = strings.Join(names[1:], ".")
	}
	p.leaf = path[len(path)-1]
}

// argument binds a parameter that becomes an argument of SQL, so that its value must have a form there.
func (b *binder) argument(s *statement, ast *annotated.Param) *param {
	p := b.param(s, ast)
	if p.leaf == nil {
		return p
	}
	leaf := p.leaf
	var err error
	whole := len(p.path) == 0 // the element that an each= is at
	p.list = !whole && leaf.IsList() && p.ast.Func != "json"
	if p.list || whole {
		p.bind, err = b.program.codec.ElementBinder(leaf, p.ast.Func, nil)
	} else {
		p.bind, err = b.program.codec.Binder(leaf, p.ast.Func, nil)
	}
	if err != nil {
		b.faults.Add(p.ast.Pos, "", "%s: %s", p.ast, spell(err, p))
	}
	return p
}

// elementParam binds the element of an each=, or a field of it.
func (b *binder) elementParam(s *statement, p *param) {
	e, rest := s.each, p.ast.Path[1:]
	p.origin = fromElement
	switch {
	case len(rest) == 1 && rest[0] == elementNumber:
		p.origin = fromNumber
		b.noFunc(p)
	case e.rows != nil:
		if len(rest) == 0 {
			b.faults.Add(p.ast.Pos, "name a column, as in :"+e.name+".id", "%s is a row", p.ast)
			return
		}
		p.from, p.slot = e.rows, e.rows.capture(strings.Join(rest, "."))
		b.noFunc(p)
	case e.field == nil: // a fault was reported for the each=
	case len(rest) == 0:
		if e.field.IsMap() {
			b.faults.Add(p.ast.Pos, "write :"+e.name+".key or :"+e.name+".value", "%s is a map entry", p.ast)
			return
		}
		p.leaf = e.field
	default:
		md := e.field.Message()
		if md == nil {
			b.faults.Add(p.ast.Pos, "write :"+e.name, "the elements of %s are no messages", e.field.Name())
			return
		}
		path, f := fieldPath(md, rest)
		if f != "" {
			b.faults.Add(p.ast.Pos, "", "%s: %s", p.ast, f)
			return
		}
		p.path, p.leaf = path, path[len(path)-1]
	}
}

// resultParam binds a column or the outcome of an earlier statement.
func (b *binder) resultParam(p *param, from *statement) {
	p.from = from
	b.noFunc(p)
	rest := strings.Join(p.ast.Path[1:], ".")
	switch {
	case rest == "":
		b.faults.Add(p.ast.Pos, "name a column, .last_insert_id or .rows", "%s is a statement", p.ast)
	case from.ast.Kind == annotated.CallRPC || from.ast.Kind == annotated.Reply:
		b.faults.Add(p.ast.Pos, "use what its own parameters use", "a %s has no columns", from.ast.Kind)
	case rest == "rows":
		p.origin, from.needsID = fromMatched, true
	case from.streams:
		b.faults.Add(p.ast.Pos, "read the rows again by a :many with into=-", "the rows of %s are sent as they are read, and not kept", from.ast.Name)
	case rest == "last_insert_id":
		p.origin, from.needsID = fromInsertID, true
		if from.isQuery() {
			b.faults.Add(p.ast.Pos, "name a column of it", "%s reads rows and makes no id", from.ast.Name)
		}
	case !from.isQuery():
		b.faults.Add(p.ast.Pos, "use ."+"last_insert_id or .rows", "%s is an :exec and has no columns", from.ast.Name)
	default:
		p.origin, p.slot, p.list = fromColumn, from.capture(rest), from.ast.Kind == annotated.Many
	}
}

func (b *binder) noFunc(p *param) {
	if p.ast.Func != "" {
		b.faults.Add(p.ast.Pos, "use SQL's own functions on values that come from SQL", ":%s() is for fields of the request", p.ast.Func)
	}
}

// claimParam binds a claim of the caller.
func (b *binder) claimParam(s *statement, p *param) {
	p.meta = p.ast.Path[1:]
	b.noFunc(p)
	switch {
	case len(p.meta) == 0:
		b.faults.Add(p.ast.Pos, "name a claim, as in :auth.sub", ":auth alone is no value")
	case s.op.rpc == nil:
		b.faults.Add(p.ast.Pos, "take the value from the message", "a put runs without a caller, so it has no claims")
	}
}

// fieldPath resolves dotted names to fields; the text says what is wrong, "" when nothing is.
func fieldPath(md protoreflect.MessageDescriptor, names []string) ([]protoreflect.FieldDescriptor, string) {
	var out []protoreflect.FieldDescriptor
	for i, name := range names {
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			return nil, fmt.Sprintf("%s has no field %q%s", md.FullName(), name, near(md, name))
		}
		out = append(out, fd)
		if i == len(names)-1 {
			break
		}
		if fd.IsList() || fd.IsMap() || fd.Message() == nil {
			return nil, fmt.Sprintf("%s is no single message, so it has no %q; use each= for the elements of a list", name, names[i+1])
		}
		md = fd.Message()
	}
	return out, ""
}

// each binds the list that a statement runs over.
func (b *binder) each(s *statement) *each {
	ast := s.ast.Each
	e := &each{name: ast.As}
	if len(ast.Path) == 0 {
		return e // the parser has said so
	}
	if s.op.input.Fields().ByName(protoreflect.Name(e.name)) != nil {
		b.faults.Add(ast.Pos, "take another name", "as=%s hides the field %s of %s", e.name, e.name, s.op.input.FullName())
	}
	if from := s.earlier(ast.Path[0]); from != nil && len(ast.Path) == 1 && from.ast.Kind == annotated.Many {
		if from.streams {
			b.faults.Add(ast.Pos, "read the rows again by a :many with into=-", "the rows of %s are sent as they are read, and not kept", from.ast.Name)
		}
		e.rows = from
		return e
	}
	path, f := fieldPath(s.op.input, ast.Path)
	if f != "" {
		b.faults.Add(ast.Pos, "", "each=%s: %s", strings.Join(ast.Path, "."), f)
		return e
	}
	last := path[len(path)-1]
	if !last.IsList() && !last.IsMap() {
		b.faults.Add(ast.Pos, "each= takes a repeated field, a map, or an earlier :many statement", "%s is no list", last.FullName())
		return e
	}
	e.path, e.field = path, last
	if m := s.op.mask; m != nil && path[0] == m.resource {
		e.maskPath = strings.Join(ast.Path[1:], ".")
	}
	return e
}

// call binds a :call; its operation is found when all blocks are known.
func (b *binder) call(s *statement) {
	ast := s.ast.Call
	s.call = &call{target: protoreflect.FullName(ast.RPC)}
	if !strings.Contains(ast.RPC, ".") {
		s.call.target = s.op.target.Parent().Append(protoreflect.Name(ast.RPC))
	}
	target := b.contract.Operation(s.call.target)
	if target == nil {
		b.faults.Add(ast.Pos, "name a method of the same service, or package.Service.Method", "the contract has no operation %s", s.call.target)
		return
	}
	if s.op.rpc != nil && target.Output.FullName() != s.op.output.FullName() {
		b.faults.Add(ast.Pos, "call an operation with the same reply", "%s replies %s, and %s replies %s",
			target.Name, target.Output.FullName(), s.op.target, s.op.output.FullName())
	}
	s.call.args = b.assignments(s, target.Input, ast.Args)
	if len(ast.Args) == 0 && target.Input.Fields().Len() > 0 {
		b.faults.Add(ast.Pos, "give it what it asks for, as in id=:next.last_insert_id", "the :call sets no field of %s", target.Input.FullName())
	}
	b.fillRoot(s)
}

// replyFields binds a :reply.
func (b *binder) replyFields(s *statement) {
	if s.op.rpc == nil {
		b.faults.Add(s.ast.Pos, "remove it", "a put has no reply")
		return
	}
	s.fields = b.assignments(s, s.op.output, s.ast.Fields)
	b.encodeDirectly(s)
	b.fillRoot(s)
}

// fillRoot lets a statement without SQL fill the reply itself.
func (b *binder) fillRoot(s *statement) {
	if s.op.reply != nil {
		s.into = s.op.reply
		s.op.reply.rows = append(s.op.reply.rows, s)
	}
}

// assignments binds field=:param pairs to fields of md.
func (b *binder) assignments(s *statement, md protoreflect.MessageDescriptor, args []annotated.Arg) []assignment {
	var out []assignment
	for i := range args {
		path, f := fieldPath(md, args[i].Field)
		if f != "" {
			b.faults.Add(args[i].Pos, "", "%s", f)
			continue
		}
		p := b.param(s, &args[i].Param)
		leaf := path[len(path)-1]
		if p.leaf != nil && (len(p.path) == 0 || !sameType(p.leaf, leaf)) {
			b.faults.Add(args[i].Pos, "take a field of the same type, or a column", "%s and %s differ in type", strings.Join(args[i].Field, "."), p.ast)
			continue
		}
		if p.leaf == nil && p.list {
			b.faults.Add(args[i].Pos, "take one value: a column of a :one or :opt", "%s is a list of rows", p.ast)
			continue
		}
		out = append(out, assignment{path: path, param: p})
	}
	return out
}

// sameType tells whether a value of a can be set as b.
func sameType(a, b protoreflect.FieldDescriptor) bool {
	if a.IsMap() || b.IsMap() {
		return a.IsMap() && b.IsMap() && sameType(a.MapKey(), b.MapKey()) && sameType(a.MapValue(), b.MapValue())
	}
	if a.IsList() != b.IsList() || kindClass(a.Kind()) != kindClass(b.Kind()) {
		return false
	}
	switch {
	case a.Message() != nil:
		return a.Message().FullName() == b.Message().FullName()
	case a.Enum() != nil:
		return a.Enum().FullName() == b.Enum().FullName()
	default:
		return true
	}
}

// kindClass maps kinds of one Go type to one of them.
func kindClass(k protoreflect.Kind) protoreflect.Kind {
	switch k {
	case protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.Int32Kind
	case protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.Int64Kind
	case protoreflect.Fixed32Kind:
		return protoreflect.Uint32Kind
	case protoreflect.Fixed64Kind:
		return protoreflect.Uint64Kind
	case protoreflect.GroupKind:
		return protoreflect.MessageKind
	default:
		return k
	}
}

// calls finds the operations that :call statements run, and refuses circles.
func (b *binder) calls() {
	for _, op := range b.order {
		for _, s := range op.statements {
			if s.call == nil || b.contract.Operation(s.call.target) == nil {
				continue
			}
			s.call.op = b.program.ops[s.call.target]
			switch {
			case s.call.op == nil:
				b.faults.Add(s.ast.Call.Pos, "write a block for it", "no SQL answers %s", s.call.target)
			case s.call.op.rpc.ServerStreaming:
				b.faults.Add(s.ast.Call.Pos, "call a unary operation", "%s is a stream", s.call.target)
			case op.rpc != nil && op.rpc.Read && !s.call.op.rpc.Read:
				b.faults.Add(s.ast.Call.Pos, "call a read", "%s is a read and calls the write %s", op.target, s.call.target)
			}
		}
	}
	for _, op := range b.order {
		if path := circle(op, nil); path != nil {
			b.faults.Add(op.pos, "break the circle", "operations call each other: %s", strings.Join(path, " → "))
		}
	}
}

// circle gives the way from op back to itself, nil when there is none.
func circle(op *operation, way []string) []string {
	name := string(op.target)
	if len(way) > 0 && way[0] == name {
		return append(way, name)
	}
	if slices.Contains(way, name) {
		return nil
	}
	way = append(way[:len(way):len(way)], name)
	for _, s := range op.statements {
		if s.call != nil && s.call.op != nil {
			if found := circle(s.call.op, way); found != nil {
				return found
			}
		}
	}
	return nil
}

// sqlPos is where the statement's SQL begins.
func (s *statement) sqlPos() fault.Pos {
	if len(s.ast.Lines) > 0 {
		return s.ast.Lines[0].Pos
	}
	return s.ast.Pos
}

// at gives a fault position in a statement for the text of an identifier, or the statement's own.
func (s *statement) at(text string) fault.Pos {
	for _, l := range s.ast.Lines {
		col := 0
		for _, p := range l.Pieces {
			if i := strings.Index(strings.ToLower(p.Text), strings.ToLower(text)); i >= 0 && text != "" {
				pos := l.Pos
				pos.Col += col + i
				return pos
			}
			col += len(p.Text)
			if p.Param != nil {
				col += len(p.Param.String())
			}
		}
	}
	return s.ast.Pos
}
