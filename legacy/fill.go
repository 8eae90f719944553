package legacy

import (
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/strangler"
)

// fill is a message of the reply and what fills it: rows, and messages below it. The tree of fills is the reply.
type fill struct {
	tag      uint64 // of the field that holds it; 0 for the reply itself
	field    protoreflect.FieldDescriptor
	message  protoreflect.MessageDescriptor // nil when rows fill a repeated scalar
	repeated bool
	// rows are the statements whose rows fill it: each sets other fields of a single message; a repeated one has one.
	rows     []*statement
	children []*fill

	// parentKey and ownKey pair capture slots of the parent's rows with slots of this one's, when it is repeated below
	// a repeated message.
	parent    *fill
	parentKey []int
	ownKey    []int
}

// framed tells whether rows are written as whole records of the repeated field while they are read, because nothing
// has to be added to them later.
func (f *fill) framed() bool {
	return f.repeated && f.message != nil && len(f.children) == 0 && f.parentKey == nil && !f.isMap()
}

// isMap tells whether the rows are the entries of a map.
func (f *fill) isMap() bool { return f.field != nil && f.field.IsMap() }

// below tells whether anything is nested in rows, so that rows must be told apart after they were read.
func (f *fill) source() *statement { return f.rows[0] }

// child gives the child for a field, or nil.
func (f *fill) child(name protoreflect.Name) *fill {
	for _, c := range f.children {
		if c.field.Name() == name {
			return c
		}
	}
	return nil
}

// groups are the rows of a repeated message under each parent row: heads by parent row, next by own row, -1 at an end.
type groups struct {
	head, next []int32
}

// assemble appends the wire form of f's message for one parent row (0 for a single message) to b.
func (f *fill) assemble(b []byte, r *run, row int) []byte {
	if f.repeated {
		res := &r.results[f.source().index]
		b = append(b, res.record(row)...)
	} else {
		for _, s := range f.rows {
			b = append(b, r.results[s.index].buf...)
		}
	}
	for _, c := range f.children {
		b = c.nest(b, r, row)
	}
	return b
}

// nest appends f's records to its parent's message.
func (f *fill) nest(b []byte, r *run, parentRow int) []byte {
	if !f.repeated {
		if !f.present(r) {
			return b
		}
		return f.record(b, r, 0)
	}
	res := &r.results[f.source().index]
	if f.framed() {
		return append(b, res.buf...)
	}
	if f.parentKey == nil {
		for row := range res.rows {
			b = f.record(b, r, row)
		}
		return b
	}
	g := r.groups[f]
	if g == nil {
		return b
	}
	for row := g.head[parentRow]; row >= 0; row = g.next[row] {
		b = f.record(b, r, int(row))
	}
	return b
}

// record appends one element: tag, length, message; or a scalar element as it is.
func (f *fill) record(b []byte, r *run, row int) []byte {
	if len(b) > r.backend.maxReply { // rows under parents that are listed twice can be many more than were read
		r.tooLong = true
		return b
	}
	if f.message == nil {
		return append(b, r.results[f.source().index].record(row)...)
	}
	b = protowire.AppendVarint(b, f.tag)
	start := len(b)
	b = append(b, 0)
	b = f.assemble(b, r, row)
	return closeLength(b, start)
}

// present tells whether a single message has anything in it: a statement gave a row, or something below is present.
func (f *fill) present(r *run) bool {
	for _, s := range f.rows {
		if r.results[s.index].rows > 0 {
			return true
		}
	}
	for _, c := range f.children {
		if c.present(r) {
			return true
		}
	}
	return false
}

// group sorts f's rows under the rows of its parent. A row without a parent is an error: it would be dropped.
func (f *fill) group(r *run) error {
	for _, c := range f.children {
		if err := c.group(r); err != nil {
			return err
		}
	}
	if f.parentKey == nil {
		return nil
	}
	own := &r.results[f.source().index]
	if own.rows == 0 {
		return nil
	}
	parents := &r.results[f.parent.source().index]
	byKey := make(map[string][]int32, parents.rows)
	var key []byte
	for row := range parents.rows {
		key = parents.key(key[:0], row, f.parentKey)
		byKey[string(key)] = append(byKey[string(key)], int32(row))
	}
	g := &groups{head: make([]int32, parents.rows), next: make([]int32, own.rows)}
	for i := range g.head {
		g.head[i] = -1
	}
	// Backwards, so that each list is in the order of the rows. A parent that was listed twice has one set of rows:
	// its second occurrence shares the list.
	for row := own.rows - 1; row >= 0; row-- {
		key = own.key(key[:0], row, f.ownKey)
		of := byKey[string(key)]
		if len(of) == 0 {
			return strangler.Fail(codes.Internal, "ORPHAN_ROW", "the reply could not be put together; the log names the cause under the request id").
				WithCause(orphan{f, row})
		}
		g.next[row] = g.head[of[0]]
		for _, p := range of {
			g.head[p] = int32(row)
		}
	}
	if r.groups == nil {
		r.groups = map[*fill]*groups{}
	}
	r.groups[f] = g
	return nil
}

// orphan is a row that matches no parent.
type orphan struct {
	fill *fill
	row  int
}

func (o orphan) Error() string {
	s := o.fill.source()
	return "statement " + s.ast.Name + ": row " + strconv.Itoa(o.row+1) + " matches no row of " + o.fill.parent.source().ast.Name +
		"; the columns of the match must be equal byte for byte, not only by collation"
}
