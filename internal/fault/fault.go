// Package fault holds what is wrong with files that a person wrote: config, contract and SQL.
//
// A Fault says where, what, and what to do about it. Readers of files collect
// faults instead of stopping at the first, so that a person mends all of them in
// one go. Faults are not for what goes wrong while a request is answered: those
// are strangler.Error.
package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a fault keeps Banyan from serving.
type Severity string

const (
	// Error keeps Banyan from serving.
	Error Severity = "error"
	// Warning is printed, and Banyan serves.
	Warning Severity = "warning"
	// Note is nothing wrong, but good to know: it is printed by check only.
	Note Severity = "note"
)

// Pos is a place in a file. Line and Col count from 1 (Col in bytes); zero means unknown.
type Pos struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// String gives file:line:col, leaving out what is unknown.
func (p Pos) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Col > 0 {
			fmt.Fprintf(&b, ":%d", p.Col)
		}
	}
	return b.String()
}

// Fault is one thing that is wrong in a file.
type Fault struct {
	Pos
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	// Fix says what to do. It may be empty where the message says it already.
	Fix string `json:"fix,omitempty"`
}

// String gives "file:line:col: message (what to do)", with the severity before the message where it is no error.
func (f Fault) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.Pos.String())
		b.WriteString(": ")
	}
	if f.Severity == Warning || f.Severity == Note {
		b.WriteString(string(f.Severity) + ": ")
	}
	b.WriteString(f.Message)
	if f.Fix != "" {
		b.WriteString(" (" + f.Fix + ")")
	}
	return b.String()
}

// List collects faults. The zero value is empty and ready; it is not safe for concurrent use.
type List struct {
	faults []Fault
}

// Add records an error at pos. The message is a format; fix says what to do and may be empty.
func (l *List) Add(pos Pos, fix, format string, args ...any) {
	l.faults = append(l.faults, Fault{Pos: pos, Severity: Error, Message: fmt.Sprintf(format, args...), Fix: fix})
}

// Warn records a warning at pos.
func (l *List) Warn(pos Pos, fix, format string, args ...any) {
	l.faults = append(l.faults, Fault{Pos: pos, Severity: Warning, Message: fmt.Sprintf(format, args...), Fix: fix})
}

// Note records what is good to know at pos.
func (l *List) Note(pos Pos, fix, format string, args ...any) {
	l.faults = append(l.faults, Fault{Pos: pos, Severity: Note, Message: fmt.Sprintf(format, args...), Fix: fix})
}

// Append takes over the faults of another list.
func (l *List) Append(other List) { l.faults = append(l.faults, other.faults...) }

// All gives the faults by file, line and column, without exact repeats.
func (l *List) All() []Fault {
	out := slices.Clone(l.faults)
	slices.SortStableFunc(out, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return slices.Compact(out)
}

// Failed tells whether any fault keeps Banyan from serving.
func (l *List) Failed() bool {
	return slices.ContainsFunc(l.faults, func(f Fault) bool { return f.Severity == Error })
}

// Err gives nil when nothing keeps Banyan from serving, else an *Errors with all faults.
func (l *List) Err() error {
	if !l.Failed() {
		return nil
	}
	return &Errors{Faults: l.All()}
}

// Errors is a list of faults as one error. Its text has a line for each.
type Errors struct {
	Faults []Fault
}

func (e *Errors) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}
