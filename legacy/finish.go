package legacy

import (
	"database/sql/driver"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/value"
)

// pager finds the statement that pages and checks that the messages have what AIP-158 asks for.
func (b *binder) pager(op *operation) {
	if op.rpc == nil {
		return
	}
	in, out := op.input.Fields(), op.output.Fields()
	size, token, next := in.ByName("page_size"), in.ByName("page_token"), out.ByName("next_page_token")
	for _, s := range op.statements {
		at := s.pageParam()
		if at == nil {
			continue
		}
		switch {
		case op.pager != nil:
			b.faults.Add(at.Pos, "page one list of the reply", "a second statement with :page; the first is %s", op.pager.statement.ast.Name)
			continue
		case size == nil || size.Kind() != protoreflect.Int32Kind || size.IsList():
			b.faults.Add(at.Pos, "add `int32 page_size`, `string page_token` and `string next_page_token` (AIP-158)", "%s has no int32 page_size", op.input.FullName())
			continue
		case token == nil || token.Kind() != protoreflect.StringKind || token.IsList():
			b.faults.Add(at.Pos, "add `string page_token` (AIP-158)", "%s has no string page_token", op.input.FullName())
			continue
		case next == nil || next.Kind() != protoreflect.StringKind || next.IsList():
			b.faults.Add(at.Pos, "add `string next_page_token` (AIP-158)", "%s has no string next_page_token", op.output.FullName())
			continue
		case s.into == nil || !s.into.repeated || s.into.parentKey != nil:
			b.faults.Add(at.Pos, "page the list at the top of the reply", ":page in a statement that fills no list of the reply")
			continue
		}
		op.pager = &pager{
			statement: s, size: size, token: token, next: next,
			codec: b.program.codec, sealer: b.sealer, limits: b.options.Paging,
		}
		if op.pager.limits.DefaultSize <= 0 {
			op.pager.limits.DefaultSize = 50
		}
		if op.pager.limits.MaxSize < op.pager.limits.DefaultSize {
			op.pager.limits.MaxSize = max(1000, op.pager.limits.DefaultSize)
		}
		b.keysets(s, at.Pos)
	}
	if op.pager == nil && token != nil && !slices.ContainsFunc(op.statements, func(s *statement) bool { return s.pageParam() != nil }) {
		b.faults.Warn(op.pos, "put :page into the WHERE of the list's statement", "%s has a page_token, and no statement has :page", op.input.FullName())
	}
}

// pageParam gives the :page of a statement, or nil.
func (s *statement) pageParam() *annotated.Param {
	for _, l := range s.lines {
		for _, p := range l.pieces {
			if p.param != nil && p.param.origin == fromPage {
				return p.param.ast
			}
		}
	}
	return nil
}

// isolation settles what an operation runs in.
func (b *binder) isolation(op *operation) {
	sqls, changes := 0, 0
	var only *statement
	for _, s := range op.statements {
		switch s.ast.Kind {
		case annotated.CallRPC:
			sqls += 2
			if s.call.op != nil && s.call.op.rpc != nil && !s.call.op.rpc.Read {
				changes++
			}
		case annotated.Reply:
		default:
			sqls++
			only = s
			if b.changes(s) {
				changes++
			}
		}
	}
	op.changes = changes > 0
	switch {
	case changes == 0 && sqls <= 1:
		op.isolation = bare
	case changes == 0:
		op.isolation = snapshot
	case sqls == 1 && only.each == nil && only.expect == nil && only.isPlainChange() && op.repliesSafely():
		op.isolation = bare
	default:
		op.isolation = write
	}
	if op.rpc == nil {
		op.isolation = write
	}
}

// repliesSafely tells whether putting the reply together can't fail once the one change is made, so that it needs no
// transaction around it.
func (op *operation) repliesSafely() bool {
	for _, s := range op.statements {
		for _, f := range s.fields {
			if f.param.leaf != nil {
				continue
			}
			switch f.path[len(f.path)-1].Kind() {
			case protoreflect.Int64Kind, protoreflect.Uint64Kind, protoreflect.StringKind:
			default:
				return false
			}
		}
	}
	return true
}

// eachParam visits every parameter of the operation.
func (op *operation) eachParam(visit func(*param)) {
	for _, s := range op.statements {
		for _, l := range s.lines {
			for _, p := range l.pieces {
				if p.param != nil {
					visit(p.param)
				}
			}
		}
		if s.expect != nil {
			for _, p := range s.expect.message {
				if p.param != nil {
					visit(p.param)
				}
			}
		}
		for _, f := range s.fields {
			visit(f.param)
		}
		if s.call != nil {
			for _, a := range s.call.args {
				visit(a.param)
			}
		}
	}
}

// enum takes in how an enum is written in legacy.
func (b *binder) enum(ast *annotated.Enum) {
	md := b.contract.Enum(protoreflect.FullName(ast.Name))
	if md == nil {
		b.faults.Add(ast.Pos, "name an enum as package.Enum, or package.Message.Enum", "the contract has no enum %s", ast.Name)
		return
	}
	if b.enums == nil {
		b.enums = map[protoreflect.FullName]fault.Pos{}
	}
	if at, twice := b.enums[md.FullName()]; twice {
		if at.File == ast.Pos.File {
			return // the parser has said so
		}
		b.faults.Add(ast.Pos, "keep one; a column that is written otherwise takes a CASE", "%s has its codes already, at %s", ast.Name, at)
		return
	}
	b.enums[md.FullName()] = ast.Pos
	e := &value.Enum{ToCode: map[protoreflect.EnumNumber]driver.Value{}, FromInt: map[int64]protoreflect.EnumNumber{}, FromText: map[string]protoreflect.EnumNumber{}}
	for _, c := range ast.Codes {
		v := enumValue(md, c.Name)
		if v == nil {
			b.faults.Add(c.Pos, "", "%s has no value %s%s", md.FullName(), c.Name, suggest(c.Name, valueNames(md)))
			continue
		}
		b.enumCode(e, v, c)
	}
	var missing []string
	for i := range md.Values().Len() {
		if v := md.Values().Get(i); v.Number() != 0 && e.ToCode[v.Number()] == nil {
			missing = append(missing, string(v.Name()))
		}
	}
	if len(missing) > 0 {
		b.faults.Warn(ast.Pos, "give them codes", "these values of %s have no code, so that callers can't use them and rows can't have them: %s", md.FullName(), strings.Join(missing, ", "))
	}
	b.program.codec.Enums[md.FullName()] = e
}

// enumCode records one pair. Several codes may read as one value; the first is the one written.
func (b *binder) enumCode(e *value.Enum, v protoreflect.EnumValueDescriptor, c annotated.EnumCode) {
	if c.Text {
		if _, taken := e.FromText[c.Code]; taken {
			b.faults.Add(c.Pos, "give each code to one value", "the code '%s' is given twice", c.Code)
			return
		}
		e.FromText[c.Code] = v.Number()
		if _, has := e.ToCode[v.Number()]; !has {
			e.ToCode[v.Number()] = c.Code
		}
		return
	}
	n, err := parseCode(c.Code)
	if err != nil {
		b.faults.Add(c.Pos, "write a whole number, or quote the code", "the code %s is no whole number", c.Code)
		return
	}
	if _, taken := e.FromInt[n]; taken {
		b.faults.Add(c.Pos, "give each code to one value", "the code %d is given twice", n)
		return
	}
	e.FromInt[n] = v.Number()
	if _, has := e.ToCode[v.Number()]; !has {
		e.ToCode[v.Number()] = n
	}
}

func valueNames(md protoreflect.EnumDescriptor) []string {
	names := make([]string, md.Values().Len())
	for i := range names {
		names[i] = string(md.Values().Get(i).Name())
	}
	return names
}

// enumValue finds a value by its name, with or without the enum's prefix (ORDER_STATUS_ of OrderStatus).
func enumValue(md protoreflect.EnumDescriptor, name string) protoreflect.EnumValueDescriptor {
	if v := md.Values().ByName(protoreflect.Name(name)); v != nil {
		return v
	}
	for i := range md.Values().Len() {
		v := md.Values().Get(i)
		if strings.HasSuffix(string(v.Name()), "_"+name) && strings.EqualFold(strings.ReplaceAll(strings.TrimSuffix(string(v.Name()), "_"+name), "_", ""), string(md.Name())) {
			return v
		}
	}
	return nil
}

// alone reports a :call whose reply would be mixed with what other statements fill.
func (b *binder) alone(op *operation) {
	for _, s := range op.statements {
		if s.ast.Kind == annotated.CallRPC && op.reply != nil && (len(op.reply.rows) > 1 || len(op.reply.children) > 0) {
			b.faults.Add(s.ast.Pos, "write into=- for rows that only later statements use", "the :call gives the whole reply, and other statements fill it, too")
		}
	}
}
