package legacy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/pool"
	"banyan.dev/banyan/legacy/value"
	"banyan.dev/banyan/strangler"
)

// maxList is how many values a list parameter may stand for: a prepared statement has at most 65,535 parameters.
const maxList = 32768

// maxVariants bounds the choices of one statement's optional lines that are kept: callers could ask for all 2ⁿ.
const maxVariants = 512

// variant is a statement with one choice of its optional lines. It is made when the choice is first met and kept.
type variant struct {
	mask    uint64
	order   uint8 // which of the alternative ORDER BY lines; 0 when there are none
	empty   bool  // no line is left: nothing runs
	pieces  []piece
	raw     []annotated.Piece // the same pieces, unbound
	outline *annotated.Outlined

	// static is the text when nothing in it changes from call to call; params are then its arguments.
	static string
	params []*param

	lines   []*line        // the lines chosen, in order
	columns []value.Column // of a query, as the server described them at start
	keyset  []keysetItem
	batch   *batch
	plans   atomic.Pointer[[]*rowPlan]
}

// choose gives the variant for this request.
func (s *statement) choose(r *run) (*variant, error) {
	if s.optional == 0 {
		return s.variant(0)
	}
	var mask uint64
	ordered, offered := false, false
	for i := range s.lines {
		l := &s.lines[i]
		if l.bit == 0 {
			continue
		}
		if l.orderBy {
			offered = true
			if ordered {
				continue
			}
		}
		in, err := l.in(r)
		if err != nil {
			return nil, strangler.Fail(codes.InvalidArgument, "CONDITION_FAILED", "the request can't be evaluated: %s", err.Error()).
				WithCause(fmt.Errorf("%s: %w", l.ast.IfPos, err))
		}
		if in {
			mask |= l.bit
			ordered = ordered || l.orderBy
		}
	}
	if offered && !ordered {
		return nil, strangler.Invalid("order_by", "this list can't be ordered so%s", s.orders())
	}
	return s.variant(mask)
}

var orderLiteral = regexp.MustCompile(`\border_by\s*==\s*(?:"([^"]*)"|'([^']*)')`)

// orders lists the orders that the conditions name, for a caller who asked for another.
func (s *statement) orders() string {
	var names []string
	for _, l := range s.lines {
		if !l.orderBy {
			continue
		}
		for _, m := range orderLiteral.FindAllStringSubmatch(l.ast.If, -1) {
			if name := m[1] + m[2]; name != "" {
				names = append(names, strconv.Quote(name))
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; it can be by " + strings.Join(names, ", ")
}

// in tells whether an optional line is part of the statement for this request.
func (l *line) in(r *run) (bool, error) {
	if l.cel != nil {
		return l.cel.holds(r.request)
	}
	for _, p := range l.given {
		if !p.given(r) {
			return false, nil
		}
	}
	return true, nil
}

// variant finds or makes the variant of a choice.
func (s *statement) variant(mask uint64) (*variant, error) {
	s.mu.RLock()
	v := s.variants[mask]
	s.mu.RUnlock()
	if v != nil {
		return v, nil
	}
	v, err := s.build(mask)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.variants[mask]; old != nil {
		return old, nil
	}
	if s.variants == nil {
		s.variants = map[uint64]*variant{}
	}
	if len(s.variants) >= maxVariants {
		for m := range s.variants { // any: the common ones come back
			delete(s.variants, m)
			break
		}
	}
	s.variants[mask] = v
	return v, nil
}

// build makes the variant of a choice of lines.
func (s *statement) build(mask uint64) (*variant, error) {
	v := &variant{mask: mask}
	static := true
	order := uint8(0)
	for i := range s.lines {
		l := &s.lines[i]
		if l.orderBy {
			order++
		}
		if l.bit != 0 && mask&l.bit == 0 {
			continue
		}
		if l.orderBy {
			v.order = order
		}
		v.lines = append(v.lines, l)
		if len(v.pieces) > 0 {
			v.pieces = append(v.pieces, piece{text: "\n"})
			v.raw = append(v.raw, annotated.Piece{Text: "\n"})
		}
		v.pieces = append(v.pieces, l.pieces...)
		v.raw = append(v.raw, l.ast.Pieces...)
		for _, p := range l.pieces {
			if p.param != nil {
				static = static && !p.param.list && p.param.origin != fromPage
				v.params = append(v.params, p.param)
			}
		}
	}
	v.empty = !slices.ContainsFunc(v.pieces, func(p piece) bool { return p.param != nil || strings.TrimSpace(p.text) != "" })
	if v.empty {
		return v, nil
	}
	out, err := annotated.Outline(v.raw)
	if err != nil {
		return nil, fmt.Errorf("statement %s: %w", s.ast.Name, err)
	}
	v.outline = out
	if static {
		var sb strings.Builder
		for _, p := range v.pieces {
			if p.param != nil {
				sb.WriteByte('?')
			} else {
				sb.WriteString(p.text)
			}
		}
		v.static = sb.String()
	}
	v.batch = s.findBatch(v)
	if p := s.op.pager; p != nil && p.statement == s { // once compiled, every column that it orders by is kept already
		if fix, msg := s.keyset(v); msg != "" {
			return nil, fmt.Errorf("statement %s: %s (%s)", s.ast.Name, msg, fix)
		}
	}
	return v, nil
}

// render gives the statement's text and sets the run's arguments.
func (s *statement) render(r *run, v *variant) (string, error) {
	r.args = r.args[:0]
	if v.static != "" {
		for _, p := range v.params {
			a, err := p.scalar(r)
			if err != nil {
				return "", err
			}
			r.arg(a)
		}
		return v.static, nil
	}
	var sb strings.Builder
	sb.Grow(512)
	paged := false
	for _, p := range v.pieces {
		switch {
		case p.param == nil:
			sb.WriteString(p.text)
		case p.param.origin == fromPage:
			paged = true
			if err := r.op.pager.keyset(&sb, r, v); err != nil {
				return "", err
			}
		case p.param.list:
			if err := p.param.renderList(&sb, r); err != nil {
				return "", err
			}
		default:
			a, err := p.param.scalar(r)
			if err != nil {
				return "", err
			}
			sb.WriteByte('?')
			r.arg(a)
		}
	}
	if paged {
		sb.WriteString("\nLIMIT ?")
		r.arg(int64(r.page.size) + 1)
	}
	return sb.String(), nil
}

// renderList writes the placeholders of a list. Their number is rounded up to a power of two, the last value repeated,
// so that few texts are prepared. An empty list is an empty set: IN finds nothing in it, NOT IN everything.
func (p *param) renderList(sb *strings.Builder, r *run) error {
	n := p.size(r)
	if n == 0 {
		sb.WriteString("SELECT NULL FROM DUAL WHERE FALSE")
		return nil
	}
	if n > maxList || len(r.args)+n > maxList {
		if p.origin == fromColumn {
			return strangler.Fail(codes.ResourceExhausted, "TOO_MANY_ROWS_AT_ONCE", "there are too many rows to answer this at once; ask for less, such as a smaller page").
				WithCause(fmt.Errorf("%s is a list of %d values", p.ast, n))
		}
		return strangler.Invalid(strings.Join(p.ast.Path, "."), "has %d values; send at most %d at once", n, maxList)
	}
	padded := 1
	for padded < n {
		padded *= 2
	}
	hold := p.placeholder()
	for i := range padded {
		if i > 0 {
			sb.WriteByte(',')
		}
		sb.WriteString(hold)
	}
	return p.appendList(r, n, padded)
}

// placeholder writes one value of a list. MySQL compares a DECIMAL with a list of strings as doubles, which loses
// digits, unless they are cast.
func (p *param) placeholder() string {
	if p.origin == fromColumn {
		return value.KeysetPlaceholder(p.column())
	}
	if md := p.leaf.Message(); md != nil && (md.FullName() == "google.type.Decimal" || md.FullName() == "google.type.Money") {
		return "CAST(? AS DECIMAL(65,30))"
	}
	return "?"
}

// maxPlans is how many plans a variant keeps. A column that is made of a parameter changes its type with the value.
const maxPlans = 8

// planFor gives the plan for the rows of this variant, made when columns like these are first met. The columns are
// compared each time: an ALTER TABLE, or a parameter of another type, changes what they are.
func (v *variant) planFor(codec *value.Codec, s *statement, rows *pool.Rows) (*rowPlan, error) {
	cols := rows.Columns()
	known := v.plans.Load()
	if known != nil {
		for _, plan := range *known {
			if slices.EqualFunc(cols, plan.columns, sameColumn) {
				return plan, nil
			}
		}
	}
	plan, faults := s.planColumns(codec, slices.Clone(cols))
	if len(faults) > 0 {
		return nil, strangler.Fail(codes.Internal, "COLUMNS_CHANGED", "the reply could not be put together; the log names the cause under the request id").
			WithCause(fmt.Errorf("%s, statement %s: %w", s.ast.Pos, s.ast.Name, faults[0]))
	}
	v.remember(plan)
	return plan, nil
}

// remember keeps a plan in front of the others. When two calls do so at once, one of the plans is made again later.
func (v *variant) remember(plan *rowPlan) {
	plans := []*rowPlan{plan}
	if known := v.plans.Load(); known != nil {
		plans = append(plans, (*known)[:min(len(*known), maxPlans-1)]...)
	}
	v.plans.Store(&plans)
}

func sameColumn(a, b value.Column) bool { return a.Name == b.Name && a.Type == b.Type }
