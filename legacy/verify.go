package legacy

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/legacy/value"
)

// Verify holds the program against the live schema: tables, columns, types and keys, with each optional line alone, all
// and none. No row is read or changed. It binds what only the server knows, so it must have run, once, before a Backend
// uses the program. The error tells that the server could not be asked.
func (p *Program) Verify(ctx context.Context, conns *pool.Pool) (fault.List, error) {
	return p.verify(ctx, conns, p.operations(), p.events)
}

func (p *Program) verify(ctx context.Context, conns *pool.Pool, ops []*operation, events []*Event) (fault.List, error) {
	tables, err := readSchema(ctx, conns, append(schemasOf(ops), eventSchemas(events)...))
	if err != nil {
		return fault.List{}, fmt.Errorf("reading the legacy's schema: %w", err)
	}
	p.current = tables.current
	next := make(chan *operation, len(ops))
	for _, op := range ops {
		next <- op
	}
	close(next)
	workers := make([]*verifier, min(verifiers, conns.Stats().MaxOpen))
	group, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		v := &verifier{program: p, schema: tables}
		workers[i] = v
		group.Go(func() error { return v.run(ctx, conns, next) })
	}
	err = group.Wait()
	for _, op := range ops {
		op.sticky = op.sticks()
	}
	var faults fault.List
	for _, e := range events {
		e.check(tables, &faults)
	}
	for _, v := range workers {
		faults.Append(v.faults)
	}
	return faults, err
}

// verifiers is how many connections ask the server at once. Its answers take longer than the questions.
const verifiers = 4

func readSchema(ctx context.Context, conns *pool.Pool, others []string) (*schema, error) {
	conn, err := conns.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	return loadSchema(ctx, conn, others)
}

// run checks operations until there are none left.
func (v *verifier) run(ctx context.Context, conns *pool.Pool, next <-chan *operation) (err error) {
	if v.conn, err = conns.Acquire(ctx); err != nil {
		return err
	}
	defer v.conn.Release() // rolls back
	for op := range next {
		for _, s := range op.statements {
			if err := v.statement(ctx, s); err != nil {
				return err
			}
		}
		v.operation(op)
	}
	return nil
}

// operations gives all operations and puts in the order of the files.
func (p *Program) operations() []*operation {
	var out []*operation
	for _, m := range []map[protoreflect.FullName]*operation{p.ops, p.puts} {
		for _, op := range m {
			out = append(out, op)
		}
	}
	slices.SortFunc(out, func(a, b *operation) int {
		if c := strings.Compare(a.pos.File, b.pos.File); c != 0 {
			return c
		}
		return a.pos.Line - b.pos.Line
	})
	return out
}

// schemasOf lists the databases that statements name.
func schemasOf(ops []*operation) []string {
	var out []string
	for _, op := range ops {
		for _, s := range op.statements {
			for _, v := range s.checked() {
				for _, t := range v.outline.Tables {
					if t.Schema != "" && !slices.Contains(out, t.Schema) {
						out = append(out, t.Schema)
					}
				}
			}
		}
	}
	return out
}

// verifier checks operations one after the other, on a connection of its own.
type verifier struct {
	program *Program
	conn    *pool.Conn
	schema  *schema
	faults  fault.List

	readOnly bool // a read-only transaction is open
}

// statement checks the main variants of one statement.
func (v *verifier) statement(ctx context.Context, s *statement) error {
	reported := map[string]bool{}
	for _, va := range s.checked() {
		v.targets(va)
		err := v.variant(ctx, s, va)
		var reply *mysql.MySQLError
		if errors.As(err, &reply) && reply.Number == errReadOnly && s.op.rpc != nil && !s.op.rpc.Read {
			if err := v.unplanned(ctx, s, va); err != nil {
				return err
			}
			continue
		}
		if errors.As(err, &reply) {
			pos, fix := s.locate(va, reply)
			if key := pos.String() + strconv.Itoa(int(reply.Number)); !reported[key] {
				reported[key] = true
				v.faults.Add(pos, fix, "statement %s%s: the server says: %s", s.ast.Name, s.describe(va.mask), strings.Join(strings.Fields(reply.Message), " "))
			}
			continue
		}
		if err != nil {
			return err
		}
		for _, p := range s.faultsOf(va, v.program.codec) {
			if !reported[p.Error()] {
				reported[p.Error()] = true
				v.faults.Add(s.at(p.Column), p.Fix, "statement %s, column %q: %s", s.ast.Name, p.Column, p.Message)
			}
		}
	}
	return nil
}

// variant asks the server about one text: a query is run so that it gives no rows, anything else is prepared.
func (v *verifier) variant(ctx context.Context, s *statement, va *variant) error {
	if !s.isQuery() || va.outline.Main != annotated.VerbSelect {
		if err := v.within(ctx, false); err != nil {
			return err
		}
		return v.conn.Prepare(ctx, checkText(va.pieces))
	}
	if va.outline.Locks { // only asked about whole: locks need no transaction that could change anything
		if err := v.within(ctx, false); err != nil {
			return err
		}
		if err := v.conn.Prepare(ctx, checkText(va.pieces)); err != nil {
			return err
		}
	}
	if err := v.within(ctx, true); err != nil {
		return err
	}
	if err := v.secondPage(ctx, s, va); err != nil {
		return err
	}
	pieces, limited := noRows(va)
	if !limited {
		if err := v.conn.Command(ctx, "SET SESSION sql_select_limit = 0"); err != nil {
			return err
		}
		defer func() {
			if err := v.conn.Command(ctx, "SET SESSION sql_select_limit = DEFAULT"); err != nil {
				v.conn.Discard()
			}
		}()
	}
	args := 0
	for _, p := range pieces {
		if p.param != nil && p.param.origin != fromPage {
			args++
		}
	}
	rows, err := v.conn.Query(ctx, checkText(pieces), make([]driver.Value, args))
	if err != nil {
		return err
	}
	va.columns = slices.Clone(rows.Columns())
	return rows.Close()
}

// errReadOnly is what a server says of a function that writes, in a read-only transaction.
const errReadOnly = 1792

// unplanned checks a query of a write whose functions write: it can't be run to learn its columns, so they are bound, and
// found wrong if they are, when it is first called.
func (v *verifier) unplanned(ctx context.Context, s *statement, va *variant) error {
	if err := v.within(ctx, false); err != nil {
		return err
	}
	if err := v.conn.Prepare(ctx, checkText(va.pieces)); err != nil {
		return err
	}
	v.faults.Warn(s.sqlPos(), "try it once; or let an :exec do the writing, as in UPDATE … SET v = LAST_INSERT_ID(v + 1)", "statement %s writes something by a function, so that its columns are checked at its first call only", s.ast.Name)
	return nil
}

// within begins or ends the read-only transaction that queries are run in. Only what is plainly a SELECT is run, with no
// rows; the transaction keeps stored functions from writing, too. Changes can't even be prepared in it.
func (v *verifier) within(ctx context.Context, readOnly bool) error {
	if v.readOnly == readOnly {
		return nil
	}
	v.readOnly = readOnly
	if readOnly {
		return v.conn.Command(ctx, "START TRANSACTION READ ONLY")
	}
	return v.conn.Rollback(ctx)
}

// checkText writes the pieces as they are checked: each parameter one placeholder, the page its first.
func checkText(pieces []piece) string {
	var sb strings.Builder
	for _, p := range pieces {
		switch {
		case p.param == nil:
			sb.WriteString(p.text)
		case p.param.origin == fromPage:
			sb.WriteString("TRUE")
		default:
			sb.WriteByte('?')
		}
	}
	return sb.String()
}

// noRows gives a query LIMIT 0; not ok where the outline doesn't know the place.
func noRows(va *variant) (pieces []piece, ok bool) {
	o := va.outline
	if o.Opaque || o.Main != annotated.VerbSelect {
		return va.pieces, false
	}
	end := annotated.Offset{Piece: len(va.pieces)}
	if lock, has := o.Clause(annotated.ClauseLock); has { // at the end, and not allowed where nothing may be written
		end = lock.Range.From
	}
	limit := piece{text: "\nLIMIT 0 "}
	if c, has := o.Clause(annotated.ClauseLimit); has {
		return slices.Concat(cut(va.pieces, annotated.Range{To: c.Range.From}), []piece{limit}, cut(va.pieces, annotated.Range{From: c.Range.To, To: end})), true
	}
	return slices.Concat(cut(va.pieces, annotated.Range{To: o.LimitAt}), []piece{limit}, cut(va.pieces, annotated.Range{From: o.LimitAt, To: end})), true
}

// faultsOf plans the columns that the server described.
func (s *statement) faultsOf(va *variant, codec *value.Codec) []*columnFault {
	if !s.isQuery() {
		return nil
	}
	plan, faults := s.planColumns(codec, va.columns)
	if len(faults) == 0 {
		va.remember(plan)
	}
	return faults
}

// targets binds parameters again that are stored in a column as they are, now that the column is known.
func (v *verifier) targets(va *variant) {
	for _, w := range va.outline.Writes {
		t := v.schema.table(w.Schema, w.Table)
		if t == nil {
			continue // the server says so
		}
		col, ok := t.columns[strings.ToLower(w.Column)]
		if !ok {
			continue
		}
		for _, p := range va.params {
			if p.ast != w.Param || p.leaf == nil || p.targeted {
				continue
			}
			p.targeted = true
			var err error
			element := p.leaf.IsList() && p.ast.Func != "json"
			var bind value.Binder
			if element {
				if p.list {
					v.faults.Add(p.ast.Pos, "store it with :json("+strings.Join(p.ast.Path, ".")+"), or its elements with each=", "%s is a list, and %s.%s takes one value", p.ast, w.Table, w.Column)
					continue
				}
				bind, err = v.program.codec.ElementBinder(p.leaf, p.ast.Func, &col)
			} else {
				bind, err = v.program.codec.Binder(p.leaf, p.ast.Func, &col)
			}
			if err != nil {
				v.faults.Add(p.ast.Pos, "", "%s into %s.%s: %s", p.ast, w.Table, w.Column, spell(err, p))
				continue
			}
			p.bind = bind
		}
	}
}

// spell gives a refusal with the parameter as it is written in the SQL: the codec knows its last name only.
func spell(err error, p *param) string {
	return strings.ReplaceAll(err.Error(), ":"+string(p.leaf.Name()), p.ast.String())
}

// describe says which optional lines a choice has, for messages.
func (s *statement) describe(mask uint64) string {
	if s.optional == 0 {
		return ""
	}
	var in []string
	for _, l := range s.lines {
		if l.bit != 0 && mask&l.bit != 0 {
			in = append(in, strconv.Itoa(l.ast.Pos.Line))
		}
	}
	switch len(in) {
	case 0:
		return " without its optional lines"
	case s.optional:
		return " with all its optional lines"
	case 1:
		return " with only the optional line " + in[0]
	default:
		return " with the optional lines " + strings.Join(in, ", ")
	}
}

// locate finds where a server's complaint points to, and what to do.
func (s *statement) locate(va *variant, reply *mysql.MySQLError) (fault.Pos, string) {
	quoted := quotedNames(reply.Message)
	switch reply.Number {
	case 1064:
		line := strings.TrimSpace(lastPart(reply.Message, "at line "))
		if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(va.lines) {
			return va.lines[n-1].ast.Pos, "the SQL is not what this server understands; where an optional line is left out, commas and ANDs must still fit"
		}
		return s.ast.Pos, "the SQL is not what this server understands"
	case 1054:
		if len(quoted) > 0 {
			return s.at(quoted[0]), "correct the column's name"
		}
	case 1146, 1049:
		if len(quoted) > 0 {
			return s.at(lastPart(quoted[0], ".")), "correct the table's name, or create it"
		}
	case 1142, 1143, 1370, 1044:
		return s.ast.Pos, "grant it to the user of legacy.dsn"
	case 1305, 1630, 1128:
		if len(quoted) > 0 {
			return s.at(lastPart(quoted[0], ".")), "correct the function's name"
		}
	}
	if len(quoted) > 0 {
		return s.at(quoted[0]), ""
	}
	return s.ast.Pos, ""
}

var quotedText = regexp.MustCompile("'([^']*)'|`([^`]*)`")

// quotedNames gives what a server's message has in quotes.
func quotedNames(msg string) []string {
	var out []string
	for _, m := range quotedText.FindAllStringSubmatch(msg, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}
