package legacy

import (
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/internal/fault"
	"banyan.dev/banyan/legacy/annotated"
	"banyan.dev/banyan/legacy/value"
)

// isolation says what an operation's statements run in.
type isolation int

const (
	bare     isolation = iota // one statement that needs no transaction around it
	snapshot                  // reads of several statements: one consistent snapshot
	write                     // anything that changes rows: one transaction
)

// operation is a block of annotated SQL bound to the contract: an RPC or a put.
type operation struct {
	pos    fault.Pos
	target protoreflect.FullName
	rpc    *contract.Operation // nil for a put
	input  protoreflect.MessageDescriptor
	output protoreflect.MessageDescriptor // nil for a put

	statements []*statement
	isolation  isolation
	reply      *fill        // the reply's tree; nil for a put
	size       atomic.Int64 // what the last replies took, in bytes
	single     *statement   // the only statement, when its rows alone are the reply; nil otherwise
	pager      *pager       // nil when nothing pages
	mask       *updateMask  // nil without an update_mask
	changes    bool         // it changes or locks rows
	sticky     bool         // it changes tables without transactions, so that it is never run twice
	wire       *wirePlan    // nil when it takes more from its request than single fields
}

// learnSize remembers about how large replies are, so that the next one's buffer need not grow.
func (op *operation) learnSize(n int) {
	const most = 256 << 10
	if known := op.size.Load(); int64(n) > known && known < most {
		op.size.Store(min(int64(n), most))
	}
}

// statement is one step of an operation.
type statement struct {
	op    *operation
	ast   *annotated.Statement
	index int // place in op.statements and in a run's results

	lines    []line
	optional int // how many lines have a condition
	each     *each
	expect   *expectation
	call     *call        // only for :call
	fields   []assignment // only for :reply
	direct   bool         // fields need no message in between
	into     *fill        // where rows go; nil: nowhere
	proven   bool         // its pages are ordered by a key of the one table that it reads
	streams  bool         // each row is one reply of a stream
	parents  *statement   // rows are needed only when this one gave some; nil otherwise

	// captures are the columns that later statements, matches or paging need, by alias.
	captures []string
	// needsID says that a later step uses .last_insert_id or .rows, so that this one can't be batched.
	needsID bool

	// captured are the columns of captures, known once the server has described a result.
	captured atomic.Pointer[[]value.Column]

	mu       sync.RWMutex
	variants map[uint64]*variant // by mask
}

func (s *statement) isQuery() bool {
	switch s.ast.Kind {
	case annotated.One, annotated.Opt, annotated.Many:
		return true
	default:
		return false
	}
}

// capture gives the slot of a column that has to be kept, adding it when it is new.
func (s *statement) capture(column string) int {
	for i, c := range s.captures {
		if c == column {
			return i
		}
	}
	s.captures = append(s.captures, column)
	return len(s.captures) - 1
}

// line is one line of SQL with its compiled condition.
type line struct {
	ast     *annotated.Line
	bit     uint64     // its bit in a variant's mask; 0 for a plain line
	cel     *condition // for `-- if:`
	given   []*param   // for `-- ?`
	orderBy bool       // an optional ORDER BY line: one of alternatives
	pieces  []piece
}

// piece is a stretch of SQL or a bound parameter.
type piece struct {
	text  string
	param *param
}

// each is the list that a statement runs over.
type each struct {
	name  string
	path  []protoreflect.FieldDescriptor // a repeated or map field of the input; nil when rows are the list
	rows  *statement
	field protoreflect.FieldDescriptor // the last of path
	// maskPath is the list's path below the resource that an update_mask is about; "" when it is not below it.
	maskPath string
}

// call is a compiled `:call`.
type call struct {
	target protoreflect.FullName
	op     *operation // set once all blocks are compiled
	args   []assignment
}

// assignment sets a field of a message from a parameter.
type assignment struct {
	path   []protoreflect.FieldDescriptor
	param  *param
	encode value.Encoder // where the statement is direct
}
