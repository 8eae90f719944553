package versions

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plan is how a message is made of another, field by field of the source as it stands on the wire.
type plan struct {
	target, source protoreflect.MessageDescriptor
	// up says that it is (part of) a request, on its way to the newer version.
	up   bool
	root *level
	// groups are the messages that are filled: the target first, then those below it whose fields come from elsewhere.
	groups  []group
	fillers []*filler
	choices []choice
	// absent are enums without presence whose zero is another value in the target.
	absent []absentEnum
	// bits is how many fields, or oneofs, can be there once only.
	bits int
	mask *maskPlan
	// links say the same by names, for field masks and for the fields that errors name.
	links []link
	// partial says that the target has fields that callers may set, and that nothing of the source fills, here or below.
	partial bool
	// same says that the target's bytes are the source's.
	same bool
}

// group is a message that is filled: field number of the group parent, which comes before it.
type group struct {
	parent int
	number protowire.Number
}

// level is a message of the source: the root, or one below it that fields are taken out of.
type level struct {
	// prefix is the path to it with a dot behind; "" for the root.
	prefix string
	steps  map[protowire.Number]*step
	// dense has the steps by number, where the numbers are small.
	dense []*step
}

// denseNumbers bounds dense.
const denseNumbers = 256

func newLevel(prefix string) *level {
	return &level{prefix: prefix, steps: map[protowire.Number]*step{}}
}

// settle makes dense of steps.
func (l *level) settle() {
	most := protowire.Number(0)
	for n, s := range l.steps {
		most = max(most, n)
		if s.below != nil {
			s.below.settle()
		}
	}
	if most < denseNumbers {
		l.dense = make([]*step, most+1)
		for n, s := range l.steps {
			l.dense[n] = s
		}
	}
}

// at gives the step of a field; nil when nothing is made of it.
func (l *level) at(n protowire.Number) *step {
	if l.dense == nil {
		return l.steps[n]
	}
	if int(n) < len(l.dense) {
		return l.dense[n]
	}
	return nil
}

// step is what is done with a field of the source.
type step struct {
	field protoreflect.FieldDescriptor
	enc   encoding
	// list says that it may be there many times; then bit is not used.
	list bool
	// bit tells fields apart that may be there once only. Members of a oneof share one.
	bit    int
	copies []copyStep
	// below is the field's message, where parts of it are taken; present are groups that are there when it is.
	below   *level
	present []int
	// own is a bit of this field alone, where bit is not enough or nobody asks for it: -1.
	own int
	// needed says that expressions read it.
	needed bool
}

// way is how a value is brought over.
type way uint8

const (
	raw     way = iota // its bytes
	number             // a scalar of another kind
	value              // an enum's value
	message            // by a plan
	mask               // paths of a field mask
)

// copyStep brings a field over into a field of a group.
type copyStep struct {
	group  int
	target protoreflect.FieldDescriptor
	number protowire.Number
	how    way
	// dropZero leaves zero out: one of both can't tell it from unset.
	dropZero bool
	enum     *enumMap
	sub      *plan
}

type absentEnum struct {
	bit    int
	path   string // of the source
	group  int
	number protowire.Number
	value  uint64
	// parent is the bit of the message that has it, if the target's is in one, too: it is filled only where that is there.
	parent int
}

// link says what a path of the target is made of.
type link struct {
	target []string
	// reads are paths of the source: one for a copy, any number for an expression.
	reads      [][]string
	expression bool
	// fixed says that callers can't change the target, which a mask of the whole then doesn't name.
	fixed bool
	// list says that the field is a list or a map: paths of masks end there.
	list bool
	// sub is how the field's message is made; nil where its fields have the same names on both sides.
	sub *plan
}

// settle finds which plans change nothing, and lets those who use them copy bytes.
func (b *binder) settle() {
	for _, p := range b.plans {
		p.root.settle()
		p.same = p.sameAlone()
	}
	for changed := true; changed; {
		changed = false
		for _, p := range b.plans {
			if p.same && !p.sameBelow() {
				p.same, changed = false, true
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, p := range b.plans {
			if !p.partial && slices.ContainsFunc(p.links, func(l link) bool { return l.sub != nil && !l.list && l.sub.partial }) {
				p.partial, changed = true, true
			}
		}
	}
	for _, p := range b.plans {
		p.root.each(func(s *step) {
			for i := range s.copies {
				if c := &s.copies[i]; c.how == message && c.sub.same {
					c.how = raw
				}
			}
		})
	}
}

// each calls visit for all steps of the level and below.
func (l *level) each(visit func(*step)) {
	for _, s := range l.steps {
		visit(s)
		if s.below != nil {
			s.below.each(visit)
		}
	}
}

// sameAlone says whether the plan changes nothing, as far as that can be told without those of its fields' messages.
func (p *plan) sameAlone() bool {
	if len(p.groups) > 1 || len(p.fillers) > 0 || len(p.choices) > 0 || len(p.absent) > 0 || p.mask != nil ||
		len(p.root.steps) != p.source.Fields().Len() || p.source.Fields().Len() != p.target.Fields().Len() {
		return false
	}
	for n, s := range p.root.steps {
		if s.below != nil || s.needed || len(s.copies) != 1 {
			return false
		}
		if c := s.copies[0]; c.number != n || c.dropZero || c.how != raw && c.how != message {
			return false
		}
	}
	return true
}

func (p *plan) sameBelow() bool {
	for _, s := range p.root.steps {
		if c := s.copies[0]; c.how == message && !c.sub.same {
			return false
		}
	}
	return true
}
