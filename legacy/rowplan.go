package legacy

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/value"
)

// rowPlan says what each column of a result is for: which field of a message it fills, and which columns are kept for
// later statements. It is made once for a statement's text and is safe for concurrent use.
type rowPlan struct {
	columns  []value.Column
	root     *node // nil when rows fill nothing
	captures []int // capture slot → column
}

// node is a message that a row fills: its own fields by columns, and messages below it by dotted aliases.
type node struct {
	tag     uint64 // of the field that holds it; 0 for the row's own message
	name    string
	columns []int // every column in it and below it: all NULL means unset
	members []member
	oneofs  int // how many members belong to oneofs, so that rows without pay nothing
}

// member is a field of a node in the order of field numbers: a leaf or a node.
type member struct {
	number protowire.Number
	column int
	encode value.Encoder
	child  *node
	name   string
	oneof  protoreflect.OneofDescriptor
}

// columnFault is a column that can't fill what its alias names.
type columnFault struct {
	Column  string
	Message string
	Fix     string
}

func (f *columnFault) Error() string {
	return fmt.Sprintf("column %q: %s (%s)", f.Column, f.Message, f.Fix)
}

// planner builds row plans.
type planner struct {
	codec *value.Codec
}

// plan binds columns to the message md (nil: rows fill nothing). Columns of captures are kept; a captured column that
// names no field of md fills nothing, and neither does one whose alias starts with "_".
func (p *planner) plan(cols []value.Column, md protoreflect.MessageDescriptor, captures []string) (*rowPlan, []*columnFault) {
	out := &rowPlan{columns: cols, captures: make([]int, len(captures))}
	var faults []*columnFault
	seen := map[string]bool{}
	for i := range out.captures {
		out.captures[i] = -1
	}
	for i, c := range cols {
		for slot, name := range captures {
			if name == c.Name {
				if out.captures[slot] >= 0 {
					faults = append(faults, &columnFault{c.Name, "two columns have this name", "give each its own alias"})
				}
				out.captures[slot] = i
			}
		}
	}
	for slot, col := range out.captures {
		if col < 0 {
			faults = append(faults, &columnFault{captures[slot], "the statement gives no such column, and a later one, a match or the paging needs it", "select it, under an alias that starts with _ when it is not part of the reply"})
		}
	}
	if md == nil {
		return out, faults
	}
	out.root = &node{}
	for i, c := range cols {
		if strings.HasPrefix(c.Name, "_") {
			continue
		}
		if slices.Contains(captures, c.Name) && md.Fields().ByName(protoreflect.Name(firstSegment(c.Name))) == nil {
			continue
		}
		if seen[c.Name] {
			faults = append(faults, &columnFault{c.Name, "two columns have this name", "give each its own alias"})
			continue
		}
		seen[c.Name] = true
		if f := p.place(out.root, md, i, c, strings.Split(c.Name, ".")); f != nil {
			faults = append(faults, f)
		}
	}
	p.finish(out.root)
	return out, faults
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(path, ".")
	return first
}

// place puts a column where its alias leads.
func (p *planner) place(n *node, md protoreflect.MessageDescriptor, col int, c value.Column, path []string) *columnFault {
	fd := md.Fields().ByName(protoreflect.Name(path[0]))
	if fd == nil {
		return &columnFault{
			c.Name, fmt.Sprintf("%s has no field %q%s", md.FullName(), path[0], near(md, path[0])),
			"name a field by the alias, or start the alias with _ for a column that is not part of the reply",
		}
	}
	n.columns = append(n.columns, col)
	existing := slices.IndexFunc(n.members, func(m member) bool { return m.number == fd.Number() })
	if len(path) > 1 {
		if fd.Message() == nil || fd.IsList() || fd.IsMap() {
			return &columnFault{c.Name, fmt.Sprintf("%s of %s is no single message", path[0], md.FullName()), "an alias with dots leads through messages only"}
		}
		child := p.child(n, fd, existing)
		return p.place(child, fd.Message(), col, c, path[1:])
	}
	if existing >= 0 {
		m := &n.members[existing]
		if m.child != nil && isMoney(fd) {
			return p.amount(m.child, col, c)
		}
		return &columnFault{c.Name, fmt.Sprintf("%s is filled twice", path[0]), "fill a message by one column or by columns for its fields, not both"}
	}
	if isMoney(fd) {
		return p.amount(p.child(n, fd, existing), col, c)
	}
	enc, err := p.codec.Encoder(c, fd)
	if err != nil {
		return &columnFault{Column: c.Name, Message: err.Error()}
	}
	n.members = append(n.members, member{number: fd.Number(), column: col, encode: enc, name: c.Name, oneof: fd.ContainingOneof()})
	return nil
}

// child gives the node of a message field of n, making it when it is new.
func (p *planner) child(n *node, fd protoreflect.FieldDescriptor, existing int) *node {
	if existing >= 0 && n.members[existing].child != nil {
		return n.members[existing].child
	}
	c := &node{tag: protowire.EncodeTag(fd.Number(), protowire.BytesType), name: string(fd.Name())}
	n.members = append(n.members, member{number: fd.Number(), child: c, name: c.name, oneof: fd.ContainingOneof()})
	return c
}

// amount fills units and nanos of a Money from one column; its currency_code comes from another.
func (p *planner) amount(money *node, col int, c value.Column) *columnFault {
	enc, err := p.codec.MoneyAmount(c)
	if err != nil {
		return &columnFault{Column: c.Name, Message: err.Error()}
	}
	money.columns = append(money.columns, col)
	money.members = append(money.members, member{number: 2, column: col, encode: enc, name: c.Name})
	return nil
}

func isMoney(fd protoreflect.FieldDescriptor) bool {
	return fd.Message() != nil && !fd.IsList() && fd.Message().FullName() == "google.type.Money"
}

// finish orders members by field number, so that the wire form is canonical.
func (p *planner) finish(n *node) {
	slices.SortStableFunc(n.members, func(a, b member) int { return cmp.Compare(a.number, b.number) })
	for _, m := range n.members {
		if m.oneof != nil && !m.oneof.IsSynthetic() {
			n.oneofs++
		}
		if m.child != nil {
			p.finish(m.child)
		}
	}
}

// append appends the wire form of the row's message to b. Its errors are for the log.
func (p *rowPlan) append(b []byte, row []driver.Value) ([]byte, error) {
	if p.root == nil {
		return b, nil
	}
	return p.root.append(b, row)
}

func (n *node) append(b []byte, row []driver.Value) ([]byte, error) {
	if n.oneofs > 1 {
		if err := n.checkOneofs(row); err != nil {
			return b, err
		}
	}
	var err error
	for i := range n.members {
		m := &n.members[i]
		if m.child == nil {
			if b, err = m.encode(b, row[m.column]); err != nil {
				return b, fmt.Errorf("column %q: %w", m.name, err)
			}
			continue
		}
		if m.child.empty(row) {
			continue
		}
		b = protowire.AppendVarint(b, m.child.tag)
		start := len(b)
		b = append(b, 0)
		if b, err = m.child.append(b, row); err != nil {
			return b, err
		}
		b = closeLength(b, start)
	}
	return b, nil
}

// empty tells whether all columns of the message are NULL: it is then unset.
func (n *node) empty(row []driver.Value) bool {
	for _, c := range n.columns {
		if row[c] != nil {
			return false
		}
	}
	return true
}

// checkOneofs refuses a row that sets two members of one oneof: a reader would see only one of them.
func (n *node) checkOneofs(row []driver.Value) error {
	var set []member
	for _, m := range n.members {
		if m.oneof == nil || m.oneof.IsSynthetic() {
			continue
		}
		if m.child == nil && row[m.column] == nil || m.child != nil && m.child.empty(row) {
			continue
		}
		for _, other := range set {
			if other.oneof == m.oneof {
				return fmt.Errorf("columns %q and %q are both set, and oneof %s holds one", other.name, m.name, m.oneof.Name())
			}
		}
		set = append(set, m)
	}
	return nil
}

// closeLength writes the length of b[start+1:] at b[start], where one byte was left for it, and moves the content when
// the length needs more.
func closeLength(b []byte, start int) []byte {
	n := len(b) - start - 1
	if n < 0x80 {
		b[start] = byte(n)
		return b
	}
	size := protowire.SizeVarint(uint64(n))
	for range size - 1 {
		b = append(b, 0)
	}
	copy(b[start+size:], b[start+1:start+1+n])
	protowire.AppendVarint(b[:start], uint64(n))
	return b
}

// near suggests a field whose name resembles name, as "; did you mean …", and lists the fields of a small message.
func near(md protoreflect.MessageDescriptor, name string) string {
	names := make([]string, md.Fields().Len())
	for i := range names {
		names[i] = string(md.Fields().Get(i).Name())
	}
	return suggest(name, names)
}

// suggest names what name may have meant, or all that there is where that is little.
func suggest(name string, known []string) string {
	const few = 12
	if n := fault.Nearest(name, known); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	if len(known) > 0 && len(known) <= few {
		return "; it has " + strings.Join(known, ", ")
	}
	return ""
}
