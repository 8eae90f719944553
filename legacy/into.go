package legacy

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/annotated"
)

// into binds where a statement's rows go.
func (b *binder) into(s *statement) {
	if !s.isQuery() || s.op.rpc == nil {
		return
	}
	into := s.ast.Into
	if into != nil && (into.Discard || len(into.Steps) == 0) { // without steps the parser has said what is wrong
		return
	}
	if into == nil {
		b.intoReply(s)
		return
	}
	if s.op.rpc.ServerStreaming {
		b.faults.Add(into.Pos, "write into=-, or leave it out in the last :many, whose rows are the stream", "a stream has no parts to fill")
		return
	}
	at := s.op.reply
	var list *fill // the innermost list above
	var match []annotated.Match
	for i, step := range into.Steps {
		last := i == len(into.Steps)-1
		fd := at.message.Fields().ByName(protoreflect.Name(step.Field))
		switch {
		case fd == nil:
			b.faults.Add(into.Pos, "", "into=: %s has no field %q%s", at.message.FullName(), step.Field, near(at.message, step.Field))
			return
		case !last && (fd.Message() == nil || fd.IsMap()):
			b.faults.Add(into.Pos, "", "into=: %s of %s is no message", step.Field, at.message.FullName())
			return
		case last && len(step.Match) > 0:
			b.faults.Add(into.Pos, "put the match behind the list that holds it, as in orders[id=orders_id].lines", "into=: a match stands behind a parent, and %s is the last", step.Field)
			return
		}
		child := at.child(fd.Name())
		if child == nil {
			child = &fill{
				tag: protowire.EncodeTag(fd.Number(), protowire.BytesType), field: fd, message: fd.Message(),
				repeated: fd.IsList() || fd.IsMap(),
			}
			if !last && child.repeated {
				b.faults.Add(into.Pos, "fill the list by an earlier statement", "into=: no statement above fills %s", step.Field)
				return
			}
			if list != nil && (!last || !child.repeated) {
				b.faults.Add(into.Pos, "join its columns to the list's own statement, with dotted aliases", "into=: %s below the list %s is no list itself", step.Field, list.field.Name())
				return
			}
			at.children = append(at.children, child)
		}
		if child.repeated && !last {
			list, match = child, step.Match
		}
		at = child
	}
	b.attach(s, at, list, match)
}

// intoReply binds rows that fill the reply itself, or are a stream's replies.
func (b *binder) intoReply(s *statement) {
	root := s.op.reply
	switch {
	case s.op.rpc.ServerStreaming:
		if s.ast.Kind != annotated.Many {
			b.faults.Add(s.ast.Pos, "write into=- for a row that only later statements use", "the replies of a stream come from one :many")
			return
		}
		if len(root.rows) > 0 {
			b.faults.Add(s.ast.Pos, "keep one", "a second statement whose rows are the stream; the first is %s", root.rows[0].ast.Name)
			return
		}
		s.streams = true
	case s.ast.Kind == annotated.Many:
		b.faults.Add(s.ast.Pos, "name the list that the rows fill, as in into=orders; or write into=-", "a :many can't fill the single reply of %s", s.op.target)
		return
	case root.message.Fields().Len() == 0:
		b.faults.Add(s.ast.Pos, "write into=- if later statements use the row", "%s has no fields to fill", root.message.FullName())
		return
	}
	s.into = root
	root.rows = append(root.rows, s)
}

// attach lets the rows of s fill f, below the list above it.
func (b *binder) attach(s *statement, f, list *fill, match []annotated.Match) {
	into := s.ast.Into
	switch {
	case f.repeated && s.ast.Kind != annotated.Many:
		b.faults.Add(into.Pos, "make it :many", "into=: %s is a list, and a %s gives one row", f.field.Name(), s.ast.Kind)
		return
	case !f.repeated && s.ast.Kind == annotated.Many:
		b.faults.Add(into.Pos, "make it :one or :opt", "into=: %s is no list, and a :many gives many rows", f.field.Name())
		return
	case !f.repeated && f.message == nil:
		b.faults.Add(into.Pos, "leave into= out, and name the field by the column's alias", "into=: %s is no message", f.field.Name())
		return
	case f.repeated && len(f.rows) > 0:
		b.faults.Add(into.Pos, "keep one, or make it one query with UNION ALL", "into=: %s is filled by %s already", f.field.Name(), f.rows[0].ast.Name)
		return
	}
	if list != nil {
		if len(list.rows) == 0 {
			return // what should fill it has a fault of its own
		}
		if len(match) == 0 {
			b.faults.Add(into.Pos, fmt.Sprintf("say which column of %s equals which column here, as in %s[id=parent_id].%s", list.source().ast.Name, list.field.Name(), f.field.Name()),
				"into=: rows below the list %s need a match", list.field.Name())
			return
		}
		f.parent = list
		parent := list.source()
		for _, m := range match {
			f.parentKey = append(f.parentKey, parent.capture(m.Parent))
			f.ownKey = append(f.ownKey, s.capture(m.Own))
		}
		s.parents = parent
	}
	s.into = f
	f.rows = append(f.rows, s)
}
