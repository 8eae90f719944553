package versions

import (
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"banyan.dev/banyan/contract"
)

// errSplit says that a field that may be there once is there several times. Decoders take the last, or merge them; what
// is made of parts has to see the whole.
var errSplit = errors.New("a field is there twice")

// translate makes the target's bytes of the source's.
func (p *plan) translate(src []byte) ([]byte, error) {
	if p.same {
		return src, nil
	}
	out, err := p.run(make([]byte, 0, len(src)+len(src)/8), src, nil)
	if errors.Is(err, errSplit) {
		m := dynamicpb.NewMessage(p.source)
		if err := contract.Unmarshal(proto.UnmarshalOptions{}, src, m); err != nil {
			return nil, &malformedError{err}
		}
		if src, err = (proto.MarshalOptions{Deterministic: true}).Marshal(m); err != nil {
			return nil, &malformedError{err}
		}
		return p.run(nil, src, nil)
	}
	return out, err
}

// malformedError says that bytes are no message of the source.
type malformedError struct{ cause error }

func (e *malformedError) Error() string { return "malformed: " + e.cause.Error() }
func (e *malformedError) Unwrap() error { return e.cause }

// fieldError is about fields of the source, by their paths.
type fieldError struct {
	paths []string
	text  string // for the caller
	cause error
}

func (e *fieldError) Error() string { return fmt.Sprintf("%v: %s: %v", e.paths, e.text, e.cause) }
func (e *fieldError) Unwrap() error { return e.cause }

// below puts a field before the paths of an error.
func below(err error, field string) error {
	var e *fieldError
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	told.paths = make([]string, len(e.paths))
	for i, path := range e.paths {
		told.paths[i] = field + "." + path
	}
	return &told
}

// running is a plan at work.
type running struct {
	plan *plan
	out  [][]byte // of each group
	// there says which groups are present even if they are empty.
	there []bool
	// needed has the fields that expressions read.
	needed []byte
	seen   []uint64
	update *update
	// space spares making the slices of small plans.
	space struct {
		out  [4][]byte
		seen [2]uint64
	}
}

// run appends the target's bytes to dst. in is set in what an update changes.
func (p *plan) run(dst, src []byte, in *update) ([]byte, error) {
	var r running
	r.plan, r.update = p, in
	r.out, r.seen = r.space.out[:1], r.space.seen[:]
	if len(p.groups) > 1 {
		r.out, r.there = append(r.out, make([][]byte, len(p.groups)-1)...), make([]bool, len(p.groups))
	}
	if words := (p.bits + 63) / 64; words > len(r.seen) {
		r.seen = make([]uint64, words)
	}
	r.out[0] = dst
	around := in
	if p.mask != nil {
		var err error
		if in, err = p.mask.read(src); err != nil {
			return dst, err
		}
		r.update = in
		if around = in; p.mask.resource != nil {
			around = nil // what is beside the resource is no change
		}
	}
	if err := r.level(p.root, src, in); err != nil {
		return r.out[0], err
	}
	if err := r.fill(around); err != nil {
		return r.out[0], err
	}
	for i := len(r.out) - 1; i > 0; i-- {
		if err := r.choices(i, 0); err != nil {
			return r.out[0], err
		}
		if g := p.groups[i]; r.there[i] || len(r.out[i]) > 0 {
			to := protowire.AppendTag(r.out[g.parent], g.number, protowire.BytesType)
			r.out[g.parent] = protowire.AppendBytes(to, r.out[i])
		}
	}
	return r.out[0], r.choices(0, len(dst))
}

// choices looks at the oneofs of a group, whose bytes begin at from.
func (r *running) choices(group, from int) error {
	for i := range r.plan.choices {
		if c := &r.plan.choices[i]; c.group == group {
			if err := c.check(r.plan, r.out[group][from:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// below gives the update of a field's message.
func (r *running) below(in *update, l *level, fd protoreflect.FieldDescriptor) *update {
	if in == nil || l == r.plan.root && r.plan.mask != nil && r.plan.mask.resource != nil && r.plan.mask.resource != fd {
		return nil
	}
	return in.below(fd)
}

// level brings over the fields of a message of the source.
func (r *running) level(l *level, src []byte, in *update) error {
	for at := 0; at < len(src); {
		num, typ, tagged := protowire.ConsumeTag(src[at:])
		if tagged < 0 {
			return &malformedError{protowire.ParseError(tagged)}
		}
		size := protowire.ConsumeFieldValue(num, typ, src[at+tagged:])
		if size < 0 {
			return &malformedError{protowire.ParseError(size)}
		}
		begin, val := at, src[at+tagged:at+tagged+size]
		at += tagged + size
		s := l.at(num)
		if s == nil || typ != s.enc.wireType() && !(s.list && typ == protowire.BytesType) {
			continue // as decoders do with what they don't know
		}
		if !s.list {
			word, bit := s.bit/64, uint64(1)<<(s.bit%64)
			if r.seen[word]&bit != 0 {
				return errSplit
			}
			r.seen[word] |= bit
		}
		if s.needed {
			r.needed = append(r.needed, src[begin:at]...)
		}
		for _, group := range s.present {
			r.there[group] = true
		}
		for i := range s.copies {
			if err := r.copy(s, &s.copies[i], typ, val, r.below(in, l, s.field)); err != nil {
				return s.blame(err, src[:begin])
			}
		}
		if s.below != nil {
			inner, _ := protowire.ConsumeBytes(val)
			if err := r.level(s.below, inner, r.below(in, l, s.field)); err != nil {
				return below(err, string(s.field.Name()))
			}
		}
	}
	return nil
}

// blame puts the field before the paths of an error.
func (s *step) blame(err error, before []byte) error {
	var placed *fieldError
	var unknown *unknownValue
	if !errors.As(err, &placed) && errors.As(err, &unknown) {
		return &fieldError{paths: []string{s.name(before)}, text: unknown.Error(), cause: err}
	}
	return below(err, s.name(before))
}

// name gives the field, with its index among those before.
func (s *step) name(before []byte) string {
	name := string(s.field.Name())
	if !s.field.IsList() {
		return name
	}
	n := 0
	for len(before) > 0 {
		num, _, size := protowire.ConsumeField(before)
		if size < 0 {
			break
		}
		if num == s.field.Number() {
			n++
		}
		before = before[size:]
	}
	return name + "[" + strconv.Itoa(n) + "]"
}

// copy brings one occurrence of a field over.
func (r *running) copy(s *step, c *copyStep, typ protowire.Type, val []byte, in *update) error {
	out := r.out[c.group]
	if c.dropZero && zero(s.enc, val) {
		return nil
	}
	var err error
	switch c.how {
	case raw:
		out = append(protowire.AppendTag(out, c.number, typ), val...)
	case number, value:
		out, err = c.scalars(out, s, typ, val)
	case message:
		inner, _ := protowire.ConsumeBytes(val)
		if s.list {
			in = nil // elements are replaced as a whole
		}
		out, err = appendNested(out, c.number, func(dst []byte) ([]byte, error) { return c.sub.run(dst, inner, in) })
	case mask:
		var paths []string
		if paths, err = r.plan.mask.translate(r.update); err == nil {
			var b []byte
			for _, path := range paths {
				b = protowire.AppendString(protowire.AppendTag(b, 1, protowire.BytesType), path)
			}
			out = protowire.AppendBytes(protowire.AppendTag(out, c.number, protowire.BytesType), b)
		}
	}
	r.out[c.group] = out
	return err
}

// appendNested appends a message, whose length is known only after it has been written.
func appendNested(dst []byte, n protowire.Number, write func([]byte) ([]byte, error)) ([]byte, error) {
	dst = append(protowire.AppendTag(dst, n, protowire.BytesType), 0)
	begin := len(dst)
	dst, err := write(dst)
	if err != nil {
		return dst, err
	}
	size := len(dst) - begin
	if more := protowire.SizeVarint(uint64(size)) - 1; more > 0 { //nolint:gosec // a length
		dst = append(dst, make([]byte, more)...)
		copy(dst[begin+more:], dst[begin:begin+size])
	}
	protowire.AppendVarint(dst[:begin-1], uint64(size)) //nolint:gosec // a length
	return dst, nil
}

// scalars converts one scalar, or a packed list of them.
func (c *copyStep) scalars(out []byte, s *step, typ protowire.Type, val []byte) ([]byte, error) {
	to := encodingOf(c.target.Kind())
	if !s.list || typ != protowire.BytesType {
		bits, _ := s.enc.read(val)
		bits, err := c.convert(s, bits)
		if err != nil || bits == 0 && !s.list && !c.target.HasPresence() {
			return out, err
		}
		return to.write(protowire.AppendTag(out, c.number, to.wireType()), bits), nil
	}
	packed, _ := protowire.ConsumeBytes(val)
	return appendNested(out, c.number, func(dst []byte) ([]byte, error) {
		for len(packed) > 0 {
			bits, n := s.enc.read(packed)
			if n < 0 {
				return dst, &malformedError{protowire.ParseError(n)}
			}
			packed = packed[n:]
			bits, err := c.convert(s, bits)
			if err != nil {
				return dst, err
			}
			dst = to.write(dst, bits)
		}
		return dst, nil
	})
}

func (c *copyStep) convert(s *step, bits uint64) (uint64, error) {
	if c.how == number {
		return widen(c.target.Kind(), s.field.Kind(), bits), nil
	}
	from := protoreflect.EnumNumber(int32(bits)) //nolint:gosec // what a decoder makes of more bits
	to, known := c.enum.numbers[from]
	if !known {
		return 0, &unknownValue{from}
	}
	return uint64(int64(to)), nil //nolint:gosec // as enums are encoded
}

// unknownValue is an enum's number that the contract doesn't have.
type unknownValue struct{ number protoreflect.EnumNumber }

func (e *unknownValue) Error() string { return fmt.Sprintf("%d is none of the values", e.number) }

// zero says whether a value, with its length if it has one, is the zero of its kind.
func zero(enc encoding, val []byte) bool {
	if enc == lengthed {
		return len(val) == 1 && val[0] == 0
	}
	bits, _ := enc.read(val)
	return bits == 0
}

// fill evaluates the expressions, and fills in enums that are not there.
func (r *running) fill(in *update) error {
	for _, a := range r.plan.absent {
		if r.seen[a.bit/64]&(1<<(a.bit%64)) == 0 && in.covers(a.path) {
			r.out[a.group] = protowire.AppendVarint(protowire.AppendTag(r.out[a.group], a.number, protowire.VarintType), a.value)
		}
	}
	if len(r.plan.fillers) == 0 {
		return nil
	}
	m := dynamicpb.NewMessage(r.plan.source)
	if err := contract.Unmarshal(proto.UnmarshalOptions{Merge: true, AllowPartial: true}, r.needed, m); err != nil {
		return &malformedError{err}
	}
	for _, f := range r.plan.fillers {
		if skip, err := in.skips(f, m); err != nil {
			return err
		} else if skip {
			continue
		}
		out, err := f.append(r.out[f.group], m)
		var malformed *malformedError
		var deeper *fieldError
		switch {
		case err == nil:
			r.out[f.group] = out
		case errors.As(err, &malformed), errors.Is(err, errSplit):
			return err
		case errors.As(err, &deeper):
			return below(err, f.first())
		default:
			return &fieldError{paths: f.paths, text: "this can't be used here; hold it against what the API says of the field", cause: err}
		}
	}
	return nil
}

// first gives the first field that the expression reads.
func (f *filler) first() string {
	if len(f.paths) > 0 {
		return f.paths[0]
	}
	return string(f.target.Name())
}
