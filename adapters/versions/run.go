package versions

import (
	"errors"
	"slices"
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
	out, err := p.run(make([]byte, 0, len(src)+len(src)/8), src, nil, 0)
	if errors.Is(err, errSplit) {
		m := dynamicpb.NewMessage(p.source)
		if err := contract.Unmarshal(proto.UnmarshalOptions{}, src, m); err != nil {
			return nil, &malformedError{err}
		}
		if src, err = (proto.MarshalOptions{Deterministic: true}).Marshal(m); err != nil {
			return nil, &malformedError{err}
		}
		return p.run(nil, src, nil, 0)
	}
	return out, err
}

// running is a plan at work. What it writes into the target itself is handed from call to call; the other groups are here.
type running struct {
	plan *plan
	// groups are what is in each group but the first.
	groups [][]byte
	// there says which groups are present even if they are empty.
	there []bool
	// needed has the fields that expressions read.
	needed []byte
	seen   [2]uint64
	more   []uint64 // further bits, where a message has many fields
	update *update
	depth  int
}

// errDeep refuses what protobuf's decoders refuse, too: messages within messages, deeper than a stack should go.
var errDeep = errors.New("messages are nested too deep")

// run appends the target's bytes to dst. in is set in what an update changes, depth is how many messages this one is in.
func (p *plan) run(dst, src []byte, in *update, depth int) ([]byte, error) {
	if depth >= protowire.DefaultRecursionLimit {
		return dst, &malformedError{errDeep}
	}
	r := running{plan: p, update: in, depth: depth}
	if len(p.groups) > 1 {
		r.groups, r.there = make([][]byte, len(p.groups)), make([]bool, len(p.groups))
	}
	if words := (p.bits + 63) / 64; words > len(r.seen) {
		r.more = make([]uint64, words)
	}
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
	begin := len(dst)
	dst, err := r.level(dst, p.root, src, in)
	if err != nil {
		return dst, err
	}
	if len(p.absent) > 0 || len(p.fillers) > 0 {
		if dst, err = r.fill(dst, around); err != nil {
			return dst, err
		}
	}
	for i := len(r.groups) - 1; i > 0; i-- {
		if err := r.choices(i, r.groups[i]); err != nil {
			return dst, err
		}
		if g := p.groups[i]; r.there[i] || len(r.groups[i]) > 0 {
			to := r.into(&dst, g.parent)
			*to = protowire.AppendBytes(protowire.AppendTag(*to, g.number, protowire.BytesType), r.groups[i])
		}
	}
	return dst, r.choices(0, dst[begin:])
}

// into gives where a group is written; the first one is dst.
func (r *running) into(dst *[]byte, group int) *[]byte {
	if group == 0 {
		return dst
	}
	return &r.groups[group]
}

// mark notes that a field is there, and says whether it was before.
func (r *running) mark(bit int) (twice bool) {
	twice = r.has(bit)
	*r.word(bit) |= uint64(1) << (bit % 64)
	return twice
}

// has says whether a field is there.
func (r *running) has(bit int) bool {
	return *r.word(bit)&(uint64(1)<<(bit%64)) != 0
}

// word gives the 64 bits that one is among.
func (r *running) word(bit int) *uint64 {
	switch {
	case r.more != nil:
		return &r.more[bit/64]
	case bit >= 64:
		return &r.seen[1]
	}
	return &r.seen[0]
}

// choices looks at the oneofs of a group, which has these bytes.
func (r *running) choices(group int, b []byte) error {
	for i := range r.plan.choices {
		if c := &r.plan.choices[i]; c.group == group {
			if err := c.check(r.plan, b); err != nil {
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
func (r *running) level(dst []byte, l *level, src []byte, in *update) ([]byte, error) {
	for at := 0; at < len(src); {
		num, typ, tagged := protowire.ConsumeTag(src[at:])
		if tagged < 0 {
			return dst, &malformedError{protowire.ParseError(tagged)}
		}
		size := protowire.ConsumeFieldValue(num, typ, src[at+tagged:])
		if size < 0 {
			return dst, &malformedError{protowire.ParseError(size)}
		}
		begin, val := at, src[at+tagged:at+tagged+size]
		at += tagged + size
		s := l.at(num)
		if s == nil || typ != s.enc.wireType() && !(s.list && typ == protowire.BytesType) {
			continue // as decoders do with what they don't know
		}
		if !s.list && r.mark(s.bit) {
			return dst, errSplit
		}
		if s.needed {
			r.needed = append(r.needed, src[begin:at]...)
		}
		if s.own >= 0 {
			r.mark(s.own)
		}
		for _, group := range s.present {
			r.there[group] = true
		}
		for i := range s.copies {
			c := &s.copies[i]
			to := r.into(&dst, c.group)
			out, err := r.copy(*to, s, c, typ, val, r.below(in, l, s.field))
			if *to = out; err != nil {
				return dst, s.blame(err, src[:begin])
			}
		}
		if s.below != nil {
			inner, _ := protowire.ConsumeBytes(val)
			var err error
			if dst, err = r.level(dst, s.below, inner, r.below(in, l, s.field)); err != nil {
				return dst, below(err, string(s.field.Name()))
			}
		}
	}
	return dst, nil
}

// blame puts the field before the paths of an error.
func (s *step) blame(err error, before []byte) error {
	var placed *fieldError
	var unknown *unknownValue
	if !errors.As(err, &placed) && errors.As(err, &unknown) {
		var element *elementError
		at := 0
		if errors.As(err, &element) {
			at = element.index
		}
		return &fieldError{paths: []string{s.name(before, at)}, text: unknown.Error(), cause: err}
	}
	return below(err, s.name(before, 0))
}

// name gives the field, with its index: that among those before, and in what is packed.
func (s *step) name(before []byte, index int) string {
	name := string(s.field.Name())
	if !s.field.IsList() {
		return name
	}
	for len(before) > 0 {
		num, typ, tagged := protowire.ConsumeTag(before)
		if tagged < 0 {
			break
		}
		size := protowire.ConsumeFieldValue(num, typ, before[tagged:])
		if size < 0 {
			break
		}
		if num == s.field.Number() {
			index += s.elements(typ, before[tagged:tagged+size])
		}
		before = before[tagged+size:]
	}
	return name + "[" + strconv.Itoa(index) + "]"
}

// elements counts what is in one occurrence of a list.
func (s *step) elements(typ protowire.Type, val []byte) (count int) {
	if typ != protowire.BytesType || s.enc == lengthed {
		return 1
	}
	packed, _ := protowire.ConsumeBytes(val)
	for len(packed) > 0 {
		_, n := s.enc.read(packed)
		if n < 0 {
			break
		}
		packed = packed[n:]
		count++
	}
	return count
}

// copy appends one occurrence of a field.
func (r *running) copy(out []byte, s *step, c *copyStep, typ protowire.Type, val []byte, in *update) ([]byte, error) {
	if c.dropZero && zero(s.enc, val) {
		return out, nil
	}
	switch c.how {
	case raw:
		return append(protowire.AppendTag(out, c.number, typ), val...), nil
	case number, value:
		return c.scalars(out, s, typ, val)
	case message:
		inner, _ := protowire.ConsumeBytes(val)
		if s.list {
			in = nil // elements are replaced as a whole
		}
		out, begin, room := open(out, c.number, len(inner))
		out, err := c.sub.run(out, inner, in, r.depth+1)
		return closeAt(out, begin, room), err
	default:
		paths, err := r.plan.mask.translate(r.update)
		out, begin, room := open(out, c.number, len(val))
		for _, path := range paths {
			out = protowire.AppendString(protowire.AppendTag(out, 1, protowire.BytesType), path)
		}
		return closeAt(out, begin, room), err
	}
}

// open begins a field whose length is known only once it has been written; closeAt ends it. There is room for the length
// that is guessed: the bytes have to be moved when it is far off, which in messages within messages adds up.
func open(out []byte, n protowire.Number, guess int) (opened []byte, begin, room int) {
	out = protowire.AppendTag(out, n, protowire.BytesType)
	begin = len(out)
	out = protowire.AppendVarint(out, uint64(guess)) //nolint:gosec // a length
	return out, begin, len(out) - begin
}

func closeAt(out []byte, begin, room int) []byte {
	size := len(out) - begin - room
	needed := protowire.SizeVarint(uint64(size)) //nolint:gosec // a length
	if needed != room {
		out = append(out, make([]byte, max(0, needed-room))...)
		copy(out[begin+needed:], out[begin+room:begin+room+size])
		out = out[:begin+needed+size]
	}
	protowire.AppendVarint(out[:begin], uint64(size)) //nolint:gosec // a length
	return out
}

// fill evaluates the expressions, and fills in enums that are not there.
func (r *running) fill(dst []byte, in *update) ([]byte, error) {
	for _, a := range r.plan.absent {
		if a.parent >= 0 && !r.has(a.parent) {
			continue
		}
		if !r.mark(a.bit) && in.covers(a.path) {
			to := r.into(&dst, a.group)
			*to = protowire.AppendVarint(protowire.AppendTag(*to, a.number, protowire.VarintType), a.value)
		}
	}
	if len(r.plan.fillers) == 0 {
		return dst, nil
	}
	m := dynamicpb.NewMessage(r.plan.source)
	if err := contract.Unmarshal(proto.UnmarshalOptions{Merge: true, AllowPartial: true}, r.needed, m); err != nil {
		return dst, &malformedError{err}
	}
	for _, f := range r.plan.fillers {
		if skip, err := in.skips(f, m); err != nil {
			return dst, err
		} else if skip {
			continue
		}
		to := r.into(&dst, f.group)
		out, err := f.append(*to, m, r.depth)
		if err != nil {
			return dst, f.blame(err)
		}
		*to = out
	}
	return dst, nil
}

// blame gives an error of the expression as one of the fields that it reads.
func (f *filler) blame(err error) error {
	var malformed *malformedError
	var deeper *fieldError
	switch {
	case errors.As(err, &malformed), errors.Is(err, errSplit):
		return err
	case errors.As(err, &deeper):
		return below(err, f.first())
	default:
		named := slices.DeleteFunc(slices.Clone(f.paths), func(path string) bool { return path == "" }) // the whole is no field
		return &fieldError{paths: named, text: "this can't be used here; hold it against what the API says of the field", cause: err}
	}
}

// first gives the first field that the expression reads.
func (f *filler) first() string {
	if len(f.paths) > 0 {
		return f.paths[0]
	}
	return string(f.target.Name())
}
