package legacy

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/legacy/value"
	"banyan.dev/banyan/strangler"
)

// query runs a statement that gives rows and takes them in.
func (s *statement) query(ctx context.Context, r *run, v *variant, sql string) error {
	rows, err := r.conn.Query(ctx, sql, r.args)
	if err != nil {
		return s.translate(err)
	}
	r.base = r.results[s.index].rows
	err = s.read(r, v, rows)
	if cerr := rows.Close(); err == nil && cerr != nil {
		err = s.translate(cerr)
	}
	if err != nil {
		return err
	}
	res := &r.results[s.index]
	res.matched = int64(res.rows)
	given := res.rows - r.base
	switch {
	case s.expect != nil && !s.expect.holds(int64(given)):
		return s.unexpected(r)
	case s.expect == nil && s.ast.Kind == annotated.One && given == 0:
		return &strangler.Error{
			Code: codes.NotFound, Reason: "NOT_FOUND", Domain: strangler.Domain,
			Message: r.op.what() + " not found; check what the request names",
		}
	}
	if r.page != nil && s == r.op.pager.statement && r.page.more {
		if r.token, err = r.op.pager.nextToken(r, v); err != nil {
			return err
		}
	}
	return nil
}

// read takes in all rows.
func (s *statement) read(r *run, v *variant, rows *pool.Rows) error {
	plan, err := v.planFor(r.backend.program.codec, s, rows)
	if err != nil {
		return err
	}
	n := len(plan.columns)
	if cap(r.dest) < n {
		r.dest = make([]driver.Value, n)
	}
	dest := r.dest[:n]
	paged := r.page != nil && s == r.op.pager.statement
	for {
		switch err := rows.Next(dest); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return s.translate(err)
		}
		if paged && r.results[s.index].rows == r.page.size {
			if err := s.beyond(r, v, plan, dest); err != nil { // the one row more than the page has
				return err
			}
			continue
		}
		if s.streams {
			err = s.stream(r, plan, dest)
		} else {
			err = s.keep(r, plan, dest)
		}
		if err != nil {
			return err
		}
	}
}

// keep adds a row to the statement's result.
func (s *statement) keep(r *run, plan *rowPlan, row []driver.Value) error {
	res := &r.results[s.index]
	if res.rows-r.base == 1 && s.ast.Kind != annotated.Many {
		return strangler.Fail(codes.Internal, "TOO_MANY_ROWS", "the reply could not be put together; the log names the cause under the request id").
			WithCause(fmt.Errorf("statement %s is %s and gave a second row", s.ast.Name, s.ast.Kind))
	}
	res.rows++
	for _, c := range plan.captures {
		arg := value.ArgOf(plan.columns[c], row[c])
		r.size += sizeOf(arg)
		res.captures = append(res.captures, arg)
	}
	if plan.root == nil {
		return r.bounded()
	}
	if res.buf == nil {
		res.buf = make([]byte, 0, r.op.size.Load()+32)
	}
	before := len(res.buf)
	var err error
	if s.into.framed() {
		res.buf = protowire.AppendVarint(res.buf, s.into.tag)
		start := len(res.buf)
		res.buf = append(res.buf, 0)
		if res.buf, err = plan.append(res.buf, row); err == nil {
			res.buf = closeLength(res.buf, start)
		}
	} else {
		res.buf, err = plan.append(res.buf, row)
		res.ends = append(res.ends, len(res.buf))
	}
	if err != nil {
		return s.unrepresentable(err)
	}
	r.size += len(res.buf) - before
	if s.into.isMap() {
		if err := s.oneEntry(r, res.record(res.rows-1)); err != nil {
			return err
		}
	}
	return r.bounded()
}

// sizeOf is about what a kept value takes, in bytes.
func sizeOf(v driver.Value) int {
	const header = 16
	switch v := v.(type) {
	case string:
		return header + len(v)
	case []byte:
		return header + len(v)
	default:
		return header
	}
}

// bounded refuses what has grown beyond the bound of a reply.
func (r *run) bounded() error {
	if r.size > r.backend.maxReply {
		return r.tooLarge()
	}
	return nil
}

func (r *run) tooLarge() error {
	return strangler.Fail(codes.ResourceExhausted, "REPLY_TOO_LARGE", "the reply, with what is needed to make it, is larger than %d bytes; ask for less at once", r.backend.maxReply)
}

// beyond looks at the first row behind a page. Were its place in the order the same as the last row's, the next page
// would begin behind both.
func (s *statement) beyond(r *run, v *variant, plan *rowPlan, row []driver.Value) error {
	r.page.more = true
	res := &r.results[s.index]
	for _, item := range v.keyset {
		c := plan.captures[item.slot]
		here, last := value.ArgOf(plan.columns[c], row[c]), res.captured(res.rows-1, item.slot)
		if !sameValue(here, last) && (s.proven || !sameLoosely(here, last)) {
			return nil
		}
	}
	return strangler.Fail(codes.Internal, "PAGE_KEY_NOT_UNIQUE", "the list can't be continued behind this page; the log names the cause under the request id").
		WithCause(fmt.Errorf("statement %s: two rows are equal in everything that the ORDER BY has, so that one of them would be lost between pages; end it with a key of the rows themselves, joined tables included", s.ast.Name))
}

// oneEntry refuses a second map entry under the same key: a reader would see only one of them.
func (s *statement) oneEntry(r *run, entry []byte) error {
	key := make([]byte, 0, 32)
	if s.into.parentKey != nil {
		res := &r.results[s.index]
		key = res.key(key, res.rows-1, s.into.ownKey)
	}
	if num, typ, n := protowire.ConsumeTag(entry); n > 0 && num == 1 {
		if m := protowire.ConsumeFieldValue(num, typ, entry[n:]); m > 0 {
			key = append(key, entry[n:n+m]...)
		}
	}
	seen := r.keys[s.into]
	if seen == nil {
		seen = map[string]struct{}{}
		if r.keys == nil {
			r.keys = map[*fill]map[string]struct{}{}
		}
		r.keys[s.into] = seen
	}
	if _, twice := seen[string(key)]; twice {
		return strangler.Fail(codes.Internal, "TWO_MAP_ENTRIES", "the reply could not be put together; the log names the cause under the request id").
			WithCause(fmt.Errorf("statement %s: two rows have the same key of the map %s", s.ast.Name, s.into.field.Name()))
	}
	seen[string(key)] = struct{}{}
	return nil
}

// stream sends a row as a reply of its own.
func (s *statement) stream(r *run, plan *rowPlan, row []driver.Value) error {
	b, err := plan.append(make([]byte, 0, 128), row)
	if err != nil {
		return s.unrepresentable(err)
	}
	r.results[s.index].rows++
	return r.send(&strangler.Reply{Message: contract.FromWire(r.op.output, b)})
}

func (s *statement) unrepresentable(err error) error {
	return strangler.Fail(codes.Internal, "UNREPRESENTABLE_VALUE", "a value of the reply can't be expressed in the contract; the log names it under the request id").
		WithCause(fmt.Errorf("statement %s: %w", s.ast.Name, err))
}

// sameLoosely tells whether two texts may be equal by some collation: without regard to case, accents and blanks at the
// end. A server may think so, and would then begin the next page behind both.
func sameLoosely(a, b driver.Value) bool {
	x, ok := a.(string)
	y, both := b.(string)
	return ok && both && collate.New(language.Und, collate.Loose).CompareString(strings.TrimRight(x, " "), strings.TrimRight(y, " ")) == 0
}

// sameValue compares two kept values of one column.
func sameValue(a, b driver.Value) bool {
	x, isBytes := a.([]byte)
	y, both := b.([]byte)
	if isBytes || both {
		return isBytes && both && bytes.Equal(x, y)
	}
	return a == b
}
