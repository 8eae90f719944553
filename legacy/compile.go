package legacy

import (
	"path"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/value"
)

// Options say how a Program reads and writes.
type Options struct {
	// Zone is the zone of the legacy's DATETIME columns (legacy.time_zone); nil means UTC.
	Zone *time.Location
	// Paging bounds the pages of lists.
	Paging Paging
	// Unserved are operations that no SQL answers on purpose: full names, or patterns such as shop.v2.Reports.*.
	Unserved []string
	// Translated gives the newer operation that answers an older one in its place; nil where there is none. It may be nil.
	Translated func(*contract.Operation) *contract.Operation
}

// Program is annotated SQL bound to a contract. Once verified it does not change and is safe for concurrent use.
type Program struct {
	contract *contract.Contract
	codec    *value.Codec
	ops      map[protoreflect.FullName]*operation
	puts     map[protoreflect.FullName]*operation
	events   []*Event
	current  string // the database that unqualified names mean, once it is verified
}

// Compile binds the blocks of files to the contract and reports all that can be found wrong without a database. The
// Program is of use only when the faults have no error.
func Compile(c *contract.Contract, files []*annotated.File, o Options) (*Program, fault.List) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	b := &binder{
		contract: c, options: o,
		program: &Program{
			contract: c,
			codec:    &value.Codec{Zone: o.Zone, Enums: map[protoreflect.FullName]*value.Enum{}, Types: c.Types},
			ops:      map[protoreflect.FullName]*operation{},
			puts:     map[protoreflect.FullName]*operation{},
		},
	}
	var err error
	if b.conditions, err = newConditions(c, files); err != nil {
		b.faults.Add(fault.Pos{}, "", "the contract can't be used in CEL: %s", err)
		return b.program, b.faults
	}
	if b.sealer, err = newSealer(o.Paging.Keys); err != nil {
		b.faults.Add(fault.Pos{}, "", "%s", err)
		return b.program, b.faults
	}
	for _, f := range files {
		for _, e := range f.Enums {
			b.enum(e)
		}
	}
	for _, f := range files {
		for _, blk := range f.Blocks {
			b.block(blk)
		}
	}
	for _, f := range files {
		for _, e := range f.Events {
			b.event(e)
		}
	}
	b.calls()
	b.eventReads()
	for _, op := range b.order {
		b.finish(op)
	}
	b.unanswered()
	return b.program, b.faults
}

// Serves tells whether the program answers an operation.
func (p *Program) Serves(name protoreflect.FullName) bool { return p.ops[name] != nil }

// binder compiles blocks. It lives while Compile runs.
type binder struct {
	contract   *contract.Contract
	options    Options
	program    *Program
	conditions *conditions
	sealer     *sealer
	faults     fault.List
	order      []*operation
	enums      map[protoreflect.FullName]fault.Pos
}

// block binds one block.
func (b *binder) block(blk *annotated.Block) {
	op := &operation{pos: blk.Pos, target: protoreflect.FullName(blk.Target)}
	var existing *operation
	if blk.Kind == annotated.RPC {
		op.rpc = b.contract.Operation(op.target)
		if op.rpc == nil {
			b.faults.Add(blk.Pos, "name an RPC as package.Service.Method", "the contract has no operation %s%s", blk.Target, b.resembling(blk.Target))
			return
		}
		op.input, op.output = op.rpc.Input, op.rpc.Output
		existing = b.program.ops[op.target]
		op.reply = &fill{message: op.output}
		op.mask = findMask(op.input, bodyField(op.rpc))
	} else {
		op.input = b.contract.Message(op.target)
		if op.input == nil {
			b.faults.Add(blk.Pos, "name a message as package.Message", "the contract has no message %s", blk.Target)
			return
		}
		existing = b.program.puts[op.target]
	}
	if existing != nil {
		if existing.pos.File == blk.Pos.File {
			return // the parser has said so
		}
		b.faults.Add(blk.Pos, "keep one of the two", "%s has a block already, at %s", blk.Target, existing.pos)
		return
	}
	if blk.Kind == annotated.RPC {
		b.program.ops[op.target] = op
	} else {
		b.program.puts[op.target] = op
	}
	b.order = append(b.order, op)
	if len(blk.Statements) == 0 {
		b.faults.Add(blk.Pos, "write `-- name: NAME :KIND` and the SQL below it", "%s has no statement", blk.Target)
	}
	for _, ast := range blk.Statements {
		s := &statement{op: op, ast: ast, index: len(op.statements)}
		b.statement(s)
		op.statements = append(op.statements, s)
	}
}

// statement binds one statement; the earlier ones are bound.
func (b *binder) statement(s *statement) {
	if s.ast.Each != nil {
		s.each = b.each(s)
	}
	switch s.ast.Kind {
	case annotated.CallRPC:
		b.call(s)
		return
	case annotated.Reply:
		b.replyFields(s)
		return
	}
	bit := uint64(1)
	for i := range s.ast.Lines {
		l := line{ast: &s.ast.Lines[i]}
		for _, p := range l.ast.Pieces {
			bound := piece{text: p.Text}
			if p.Param != nil {
				bound.param = b.argument(s, p.Param)
			}
			l.pieces = append(l.pieces, bound)
		}
		if l.ast.Condition != annotated.Always {
			if bit == 0 {
				b.faults.Add(l.ast.Pos, "split the statement", "more than 64 optional lines in one statement")
			}
			l.bit, bit = bit, bit<<1
			s.optional++
			b.condition(s, &l)
		}
		s.lines = append(s.lines, l)
	}
	if s.ast.Expect != nil {
		s.expect = &expectation{ast: s.ast.Expect}
		for _, p := range s.ast.Expect.Message {
			bound := piece{text: p.Text}
			if p.Param != nil {
				bound.param = b.spoken(s, p.Param)
			}
			s.expect.message = append(s.expect.message, bound)
		}
	}
	b.into(s)
}

// condition compiles what an optional line depends on.
func (b *binder) condition(s *statement, l *line) {
	l.orderBy = l.ast.IsOrderBy()
	if l.ast.Condition == annotated.Given {
		for _, p := range l.pieces {
			if p.param == nil || p.param.origin == fromPage {
				continue
			}
			if p.param.origin == fromClaim && p.param.ast.Path[0] == "auth" {
				b.faults.Add(p.param.ast.Pos, "leave the `-- ?` out: without the claim the condition is then NULL and finds nothing", "%s on a line that is left out when it is not given: a caller without the claim would see more", p.param.ast)
			}
			l.given = append(l.given, p.param)
		}
		return
	}
	c, issues, err := b.conditions.compile(s.op.input, l.ast.If)
	switch {
	case err != nil:
		b.faults.Add(l.ast.IfPos, "", "the condition %s", err)
	case issues != nil:
		for _, e := range issues.Errors() {
			pos := l.ast.IfPos
			pos.Col += e.Location.Column()
			b.faults.Add(pos, "the fields of "+string(s.op.input.FullName())+" are known by name", "%s", e.Message)
		}
	}
	l.cel = c
}

// finish settles what shows only when all of an operation's statements are bound.
func (b *binder) finish(op *operation) {
	for _, s := range op.statements {
		b.variants(s)
		b.lists(s)
		b.quotedParams(s)
	}
	b.alone(op)
	b.pager(op)
	for _, s := range op.statements { // what is kept is known now
		b.aliases(s)
	}
	b.isolation(op)
	if op.mask != nil {
		op.mask.writable, op.mask.keys = op.writable(), op.finding()
		op.mask.etag = op.comparesEtag(op.mask.writable)
		if len(op.mask.writable) == 0 {
			op.mask = nil
		}
	}
	b.unused(op)
	op.wire = planWire(op)
	if op.rpc == nil {
		return
	}
	if len(op.reply.rows) == 0 && len(op.reply.children) == 0 && op.output.Fields().Len() > 0 && len(op.statements) > 0 {
		b.faults.Add(op.pos, "end the block with `-- name: reply :call …` or `:reply …`, or let a query fill the reply", "nothing fills the reply of %s: callers would get an empty %s", op.target, op.output.FullName())
	}
	switch r := op.reply; {
	case len(r.rows) == 1 && len(r.children) == 0:
		op.single = r.rows[0]
	case len(r.rows) == 0 && len(r.children) == 1 && len(r.children[0].rows) == 1 && r.children[0].framed():
		op.single = r.children[0].source()
	}
}

// variants outlines a statement's main variants, so that faults show at start and the columns that paging needs are
// known.
func (b *binder) variants(s *statement) {
	for _, mask := range s.masks() {
		if _, err := s.variant(mask); err != nil {
			b.faults.Add(s.ast.Pos, "", "%s", err)
			return
		}
	}
}

// checked gives the variants that are checked at start, without empty ones.
func (s *statement) checked() []*variant {
	var out []*variant
	for _, mask := range s.masks() {
		if v := s.variants[mask]; v != nil && !v.empty {
			out = append(out, v)
		}
	}
	return out
}

// masks gives the choices of optional lines that are checked at start: none, all, each alone; where ORDER BY lines are
// alternatives, each of them with the others' none and all.
func (s *statement) masks() []uint64 {
	var plain, orders []uint64
	for _, l := range s.lines {
		switch {
		case l.bit == 0:
		case l.orderBy:
			orders = append(orders, l.bit)
		default:
			plain = append(plain, l.bit)
		}
	}
	choices := []uint64{0}
	all := uint64(0)
	for _, m := range plain {
		choices = append(choices, m)
		all |= m
	}
	if len(plain) > 1 {
		choices = append(choices, all)
	}
	if len(orders) == 0 {
		return choices
	}
	var out []uint64
	for i, o := range orders {
		if i == 0 {
			for _, c := range choices {
				out = append(out, c|o)
			}
			continue
		}
		out = append(out, o, all|o)
	}
	return out
}

// unanswered reports operations that nothing answers.
func (b *binder) unanswered() {
	for _, op := range b.contract.Operations() {
		named := b.named(op)
		var newer *contract.Operation
		if b.options.Translated != nil {
			newer = b.options.Translated(op)
		}
		switch {
		case newer != nil && b.program.ops[op.Name] != nil:
			b.faults.Add(b.program.ops[op.Name].pos, "remove the SQL, or list the operation under untranslated of its version", "%s is a translation of %s", op.Name, newer.Name)
		case newer != nil:
		case b.program.ops[op.Name] == nil && !named:
			b.faults.Add(op.Pos, "write `-- rpc: "+string(op.Name)+"` in a .sql file, or list it under contract.unserved", "no SQL answers %s", op.Name)
		case b.program.ops[op.Name] != nil && named:
			b.faults.Add(b.program.ops[op.Name].pos, "take it off the list, or remove the SQL", "%s is listed under contract.unserved", op.Name)
		}
	}
}

func (b *binder) named(op *contract.Operation) bool {
	for _, pattern := range b.options.Unserved {
		if ok, err := path.Match(pattern, string(op.Name)); err == nil && ok {
			return true
		}
	}
	return false
}

// resembling suggests an operation by its last part.
func (b *binder) resembling(name string) string {
	method := lastPart(name, ".")
	for _, op := range b.contract.Operations() {
		if strings.EqualFold(string(op.Descriptor.Name()), method) {
			return "; did you mean " + string(op.Name) + "?"
		}
	}
	return ""
}

// lastPart gives what follows the last separator; all of s without one.
func lastPart(s, sep string) string {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[i+len(sep):]
	}
	return s
}

// bodyField gives the request field that the first rule with a body names.
func bodyField(op *contract.Operation) string {
	for _, r := range op.Rules {
		if r.Body != "" {
			return r.Body
		}
	}
	return ""
}
