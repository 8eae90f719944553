package legacy

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"banyan.dev/banyan/legacy/annotated"
)

// batchRows is how many elements one multi-row INSERT takes at most. Smaller batches are powers of two, so that few
// texts are prepared.
const batchRows = 64

// batch is an INSERT that can take several elements at once: its VALUES tuple is repeated.
type batch struct {
	head, tuple, tail []piece
}

// findBatch tells how a variant can be batched; nil when it can't be: no tuple to repeat, a parameter outside of it
// that changes with the element, an expectation, or a later use of its result.
func (s *statement) findBatch(v *variant) *batch {
	if s.each == nil || s.ast.Kind != annotated.Exec || s.expect != nil || s.needsID || s.optional > 0 || v.static == "" {
		return nil
	}
	if v.outline.Tuple == nil {
		return nil
	}
	t := *v.outline.Tuple
	b := &batch{
		head:  cut(v.pieces, annotated.Range{To: t.From}),
		tuple: cut(v.pieces, t),
		tail:  cut(v.pieces, annotated.Range{From: t.To, To: annotated.Offset{Piece: len(v.pieces)}}),
	}
	if !pureTuple(b.tuple) || !pureTuple(b.tail) {
		return nil
	}
	for _, p := range append(b.head[:len(b.head):len(b.head)], b.tail...) {
		if p.param != nil {
			return nil
		}
	}
	return b
}

// calls finds what is called, and user variables.
var calls = regexp.MustCompile("(?i)(`[^`]*`|[a-z_$.][a-z0-9_$.]*)\\s*\\(|(@)|\\(\\s*(select)\\b")

// pure are functions that give the same for an element whether it is inserted alone or with others.
var pure = []string{
	"NOW", "CURRENT_TIMESTAMP", "UTC_TIMESTAMP", "CURDATE", "UNIX_TIMESTAMP", "IF", "IFNULL", "NULLIF", "COALESCE", "TRIM", "LOWER", "UPPER",
	"LEFT", "RIGHT", "CONCAT", "REPLACE", "SUBSTRING", "CAST", "CONVERT", "ROUND", "FORMAT", "DATE", "FROM_UNIXTIME", "MD5", "SHA1", "SHA2", "HEX", "UNHEX", "CHAR", "DECIMAL", "VALUES",
}

// pureTuple tells whether the values of a tuple depend on nothing that an earlier row of the same statement changes.
func pureTuple(tuple []piece) bool {
	var text strings.Builder
	for _, p := range tuple {
		if p.param != nil {
			text.WriteByte('?')
		}
		text.WriteString(p.text)
	}
	for _, m := range calls.FindAllStringSubmatch(text.String(), -1) {
		if !slices.Contains(pure, strings.ToUpper(m[1])) {
			return false
		}
	}
	return true
}

// batchable gives the statement's variant when its elements can be written many at a time.
func (s *statement) batchable() *variant {
	if s.optional > 0 {
		return nil
	}
	v, err := s.variant(0)
	if err != nil || v.batch == nil {
		return nil
	}
	return v
}

// batches writes the elements with as few statements as the powers of two up to batchRows allow.
func (s *statement) batches(ctx context.Context, r *run, v *variant, elements []element) error {
	for len(elements) > 0 {
		n := batchRows
		for n > len(elements) {
			n /= 2
		}
		sql, err := v.batch.render(r, elements[:n])
		if err != nil {
			return err
		}
		if err := s.exec(ctx, r, v, sql); err != nil {
			return err
		}
		elements = elements[n:]
	}
	return nil
}

func (b *batch) render(r *run, elements []element) (string, error) {
	r.args = r.args[:0]
	var sb strings.Builder
	sb.Grow(256 + 32*len(elements))
	write := func(pieces []piece) error {
		for _, p := range pieces {
			if p.param == nil {
				sb.WriteString(p.text)
				continue
			}
			a, err := p.param.scalar(r)
			if err != nil {
				return err
			}
			sb.WriteByte('?')
			r.arg(a)
		}
		return nil
	}
	if err := write(b.head); err != nil {
		return "", err
	}
	for i, e := range elements {
		if i > 0 {
			sb.WriteByte(',')
		}
		r.element = e
		if err := write(b.tuple); err != nil {
			return "", err
		}
	}
	if err := write(b.tail); err != nil {
		return "", err
	}
	return sb.String(), nil
}

// cut gives the pieces of a range.
func cut(pieces []piece, r annotated.Range) []piece {
	var out []piece
	for i := r.From.Piece; i < len(pieces) && i <= r.To.Piece; i++ {
		p := pieces[i]
		if p.param == nil {
			from, to := 0, len(p.text)
			if i == r.From.Piece {
				from = r.From.Byte
			}
			if i == r.To.Piece {
				to = r.To.Byte
			}
			if p.text = p.text[from:to]; p.text == "" {
				continue
			}
		} else if i == r.To.Piece {
			continue
		}
		out = append(out, p)
	}
	return out
}
