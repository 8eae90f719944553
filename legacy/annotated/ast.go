package annotated

import (
	"strings"

	"google.golang.org/grpc/codes"

	"banyan.dev/banyan/internal/fault"
)

// File is one parsed .sql file.
type File struct {
	Name   string
	Blocks []*Block
	Enums  []*Enum
	Events []*Event
}

// BlockKind tells what a block is for.
type BlockKind int

const (
	// RPC answers an operation (`-- rpc:`).
	RPC BlockKind = iota
	// Put makes legacy's rows equal a message (`-- put:`).
	Put
)

// Block is a directive `-- rpc:` or `-- put:` with the statements below it.
type Block struct {
	Pos        fault.Pos
	Kind       BlockKind
	Target     string // full name of an RPC (shop.v2.OrderService.GetOrder) or of a message (shop.v2.Order)
	Statements []*Statement
}

// Enum is a directive `-- enum:`: how an enum's values are written in legacy.
type Enum struct {
	Pos   fault.Pos
	Name  string // full name of the enum
	Codes []EnumCode
}

// EnumCode is one pair of an enum directive, NAME=code. Quoted codes are text, the others integers.
type EnumCode struct {
	Pos  fault.Pos
	Name string // value name as written, with or without the enum's prefix
	Code string
	Text bool // the code was quoted
}

// Event is a directive `-- event:`: which rows are part of an entity that new services are told of.
type Event struct {
	Pos    fault.Pos
	Entity string       // full name of the message
	ID     string       // column of the first table that identifies the entity
	On     []EventTable // the first has one row an entity
	Via    string       // full name of the RPC that reads one
}

// EventTable is a table of an event directive, with the column that has the entity's id, or that leads to it.
type EventTable struct {
	Pos    fault.Pos
	Schema string // empty for the DSN's
	Table  string
	Column string
	By     *EventBy // nil where Column has the id
}

// EventBy says that a table's column has the value of a column of another table of the directive, whose row is part of the same
// entity.
type EventBy struct {
	Pos    fault.Pos
	Table  int // its index in On, less than that of the table itself
	Column string
}

// Kind tells what a statement gives.
type Kind int

const (
	// One gives exactly one row (`:one`).
	One Kind = iota
	// Opt gives at most one row (`:opt`).
	Opt
	// Many gives any number of rows (`:many`).
	Many
	// Exec changes rows (`:exec`).
	Exec
	// CallRPC answers by another operation (`:call`).
	CallRPC
	// Reply fills the reply from parameters, without SQL (`:reply`).
	Reply
)

// String gives the kind as it is written.
func (k Kind) String() string {
	return [...]string{":one", ":opt", ":many", ":exec", ":call", ":reply"}[k]
}

// hasSQL tells whether SQL follows a statement of this kind.
func (k Kind) hasSQL() bool { return k != CallRPC && k != Reply }

// Statement is a directive `-- name:` with its SQL.
type Statement struct {
	Pos    fault.Pos
	Name   string
	Kind   Kind
	Into   *Into   // nil: the reply itself
	Each   *Each   // nil: run once
	Call   *Call   // only for CallRPC
	Fields []Arg   // only for Reply: the fields that it sets
	Expect *Expect // nil: no expectation beyond the kind's own
	Lines  []Line  // empty for CallRPC and Reply
}

// Into says which part of the reply the rows fill.
type Into struct {
	Pos fault.Pos
	// Discard (`into=-`): the rows fill nothing; later statements use them as parameters.
	Discard bool
	// Steps is the path; only the last step of a path with parents may lack Match.
	Steps []IntoStep
}

// Path gives the dotted path without its matches.
func (i *Into) Path() string {
	names := make([]string, len(i.Steps))
	for n, s := range i.Steps {
		names[n] = s.Field
	}
	return strings.Join(names, ".")
}

// IntoStep is one field of an into path. Match, when given, says which parent a row belongs to:
// orders[id=orders_id].lines puts a row under the element of orders whose column id equals the row's column orders_id.
type IntoStep struct {
	Field string
	Match []Match
}

// Match pairs a column of the parent's statement with a column of this one.
type Match struct {
	Parent string
	Own    string
}

// Each runs a statement once for each element (`each=path as=name`).
type Each struct {
	Pos  fault.Pos
	Path []string
	As   string
}

// Call is the operation that a :call statement runs, with its request's fields.
type Call struct {
	Pos  fault.Pos
	RPC  string // a name in the same service, or a full name
	Args []Arg
}

// Arg sets a field of the called operation's request.
type Arg struct {
	Pos   fault.Pos
	Field []string
	Param Param
}

// Expect is `-- expect: [op] N else CODE REASON "message"`.
type Expect struct {
	Pos     fault.Pos
	Op      string // one of = != < <= > >=
	N       int64
	Code    codes.Code
	Reason  string
	Message []Piece // text and parameters ("{line.sku}: too few left")
}

// Condition tells when a line is part of the statement.
type Condition int

const (
	// Always is a plain line.
	Always Condition = iota
	// If is a line that ends in `-- if: CEL`.
	If
	// Given is a line that ends in `-- ?`.
	Given
)

// Line is one line of a statement's SQL, without its comments and without blanks around it. It is longer than a line of
// the file when a string or a comment in it is.
type Line struct {
	Pos       fault.Pos // of the first byte of Pieces
	Condition Condition
	If        string    // CEL source of If
	IfPos     fault.Pos // where that source starts
	Pieces    []Piece
}

// Piece is a stretch of SQL or a parameter: exactly one of the two.
type Piece struct {
	Text  string
	Param *Param
}

// Param is a parameter: `:path.to.field` or `:func(path.to.field)`; `:page` alone is the keyset condition.
type Param struct {
	Pos  fault.Pos
	Func string // "" or prefix, suffix, contains, name, json
	Path []string
}

// String gives the parameter as it is written, with its colon.
func (p *Param) String() string {
	s := strings.Join(p.Path, ".")
	if p.Func != "" {
		return ":" + p.Func + "(" + s + ")"
	}
	return ":" + s
}

// IsPage tells whether the parameter is `:page`.
func (p *Param) IsPage() bool { return p.Func == "" && len(p.Path) == 1 && p.Path[0] == "page" }
