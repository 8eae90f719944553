package legacy

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-sql-driver/mysql"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/strangler"
)

// run is one execution of an operation on one connection. Runs are reused, so that a call allocates little.
type run struct {
	backend *Backend
	op      *operation
	conn    *pool.Conn
	call    *strangler.Call
	request protoreflect.Message // nil when values has all that is needed of it
	values  []protoreflect.Value // of the parameters from the request, by place
	send    func(*strangler.Reply) error

	results []result
	groups  map[*fill]*groups
	element element
	mask    *givenMask
	page    *page
	token   string                        // next_page_token
	size    int                           // bytes of rows and values kept so far
	base    int                           // rows that the statement had before the current element of its each=
	keys    map[*fill]map[string]struct{} // keys of the map entries so far
	failed  *statement                    // the one that has
	tooLong bool                          // the reply grew beyond the bound while it was put together

	args []driver.Value
	dest []driver.Value
}

var runs sync.Pool

// keepBuffers bounds what a run that waits for reuse holds on to, in bytes for each statement.
const keepBuffers = 64 << 10

// keepArguments bounds the arguments that it holds room for.
const keepArguments = 512

// start readies a run of op over a request, and refuses requests whose page or mask is wrong before they take a
// connection.
func (b *Backend) start(op *operation, call *strangler.Call, in input) (*run, error) {
	r, ok := runs.Get().(*run)
	if !ok {
		r = new(run)
	}
	r.backend, r.op, r.call, r.request, r.values = b, op, call, in.message, in.values
	if cap(r.results) < len(op.statements) {
		r.results = make([]result, len(op.statements))
	}
	r.results = r.results[:len(op.statements)]
	for i, s := range op.statements {
		r.results[i].reset(len(s.captures))
	}
	var err error
	if op.mask != nil {
		if r.mask, err = op.mask.read(in.message); err != nil {
			r.free()
			return nil, err
		}
	}
	if op.pager != nil {
		if r.page, err = op.pager.read(in.message); err != nil {
			r.free()
			return nil, err
		}
	}
	return r, nil
}

// free gives the run back for reuse. Nothing it handed out may still point into it.
func (r *run) free() {
	if cap(r.args) > keepArguments {
		r.args = nil
	}
	clear(r.args[:cap(r.args)])
	clear(r.dest[:cap(r.dest)])
	for i := range r.results {
		res := &r.results[i]
		clear(res.captures)
		if cap(res.buf) > keepBuffers || cap(res.captures) > keepBuffers/16 || cap(res.ends) > keepBuffers/8 {
			*res = result{}
		}
	}
	*r = run{results: r.results, args: r.args[:0], dest: r.dest[:0]}
	runs.Put(r)
}

// arg adds an argument of the statement that is being rendered.
func (r *run) arg(v driver.Value) {
	r.args = append(r.args, v)
}

// statements runs all steps.
func (r *run) statements(ctx context.Context) error {
	for _, s := range r.op.statements {
		if err := s.run(ctx, r); err != nil {
			r.failed = s
			return err
		}
	}
	return nil
}

// reply puts the reply together.
func (r *run) reply() ([]byte, error) {
	if s := r.op.single; s != nil {
		res := &r.results[s.index]
		out := res.buf
		res.buf = nil // it is the caller's now
		r.op.learnSize(len(out))
		return r.appendToken(out), nil
	}
	if err := r.op.reply.group(r); err != nil {
		return nil, err
	}
	out := r.op.reply.assemble(make([]byte, 0, min(r.size, r.backend.maxReply)+64), r, 0)
	if r.tooLong || len(out) > r.backend.maxReply {
		return nil, r.tooLarge()
	}
	return r.appendToken(out), nil
}

func (r *run) appendToken(b []byte) []byte {
	if r.token == "" {
		return b
	}
	return r.op.pager.appendNext(b, r.token)
}

// run executes the statement once, or once for each element.
func (s *statement) run(ctx context.Context, r *run) error {
	if s.parents != nil && r.results[s.parents.index].rows == 0 {
		return nil
	}
	if s.each == nil {
		return s.step(ctx, r)
	}
	if s.each.maskPath != "" && r.mask != nil && !r.mask.covers(s.each.maskPath) {
		return nil // the caller left the list as it is
	}
	elements := s.each.elements(r)
	if len(elements) == 0 {
		return nil
	}
	if v := s.batchable(); v != nil && len(elements) > 1 {
		return s.batches(ctx, r, v, elements)
	}
	for _, e := range elements {
		r.element = e
		if err := s.step(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// step executes the statement for the current element.
func (s *statement) step(ctx context.Context, r *run) error {
	switch s.ast.Kind {
	case annotated.CallRPC:
		return s.runCall(ctx, r)
	case annotated.Reply:
		return s.runReply(r)
	}
	v, err := s.choose(r)
	if err != nil {
		return err
	}
	if v.empty {
		return nil
	}
	sql, err := s.render(r, v)
	if err != nil {
		return err
	}
	if s.isQuery() {
		return s.query(ctx, r, v, sql)
	}
	return s.exec(ctx, r, v, sql)
}

func (s *statement) exec(ctx context.Context, r *run, v *variant, sql string) error {
	done, err := r.conn.Exec(ctx, sql, r.args)
	if err != nil {
		return s.blame(v, s.translate(err))
	}
	res := &r.results[s.index]
	res.insertID = done.LastInsertID
	res.matched += done.RowsMatched
	if s.expect != nil && !s.expect.holds(done.RowsMatched) {
		return s.unexpected(r)
	}
	return nil
}

// translate gives a server's error as the caller sees it, with the statement's place for the log.
func (s *statement) translate(err error) *strangler.Error {
	e := pool.Translate(err)
	if e.Cause != nil {
		e.Cause = fmt.Errorf("%s, statement %s: %w", s.ast.Pos, s.ast.Name, e.Cause)
	}
	return e
}

// blame names the request's field in an INVALID_ARGUMENT that the server gave about a column, where that column takes
// the field as it is.
func (s *statement) blame(v *variant, e *strangler.Error) error {
	var reply *mysql.MySQLError
	if e.Code != codes.InvalidArgument || len(e.Violations) > 0 || !errors.As(e.Cause, &reply) {
		return e
	}
	quoted := quotedNames(reply.Message)
	for _, w := range v.outline.Writes {
		i := slices.IndexFunc(v.params, func(p *param) bool { return p.ast == w.Param })
		if i < 0 || !slices.ContainsFunc(quoted, func(q string) bool { return strings.EqualFold(q, w.Column) }) {
			continue
		}
		field := s.callersName(v.params[i])
		if field == "" {
			continue // a value of the legacy's own
		}
		what := strings.TrimPrefix(strings.TrimPrefix(e.Message, "a value in the request "), "a number or time in the request ")
		e.Violations = []strangler.Violation{{Field: field, Description: what}}
		e.Message = field + ": " + what
		break
	}
	return e
}

// callersName gives the path of the request's field that a parameter is; "" when it is none.
func (s *statement) callersName(p *param) string {
	switch {
	case p.origin == fromRequest:
		return strings.Join(p.ast.Path, ".")
	case p.origin == fromElement && p.from == nil && s.each != nil:
		return strings.Join(append(slices.Clone(s.ast.Each.Path), p.ast.Path[1:]...), ".")
	default:
		return ""
	}
}

// what names the thing that an operation is about, for NOT_FOUND.
func (op *operation) what() string {
	if op.output == nil || strings.HasPrefix(string(op.output.FullName()), "google.protobuf.") {
		return "resource"
	}
	return string(op.output.Name())
}
