package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/strangler"
)

// explain turns protojson's error about a body into one that names the field, by the position that it has.
func explain(text []byte, md protoreflect.MessageDescriptor, under string, err error) *strangler.Error {
	if !json.Valid(text) {
		return notJSON(under, json.Unmarshal(text, new(json.RawMessage)))
	}
	line, col, what := parseError(err)
	if line == 0 {
		return strangler.Fail(codes.InvalidArgument, "INVALID_BODY", "the body is not a %s: %s", md.FullName(), what)
	}
	path, holder := locate(text, offset(text, line, col), md)
	if under != "" {
		path = strings.TrimSuffix(under+"."+path, ".")
	}
	if path == "" {
		path = "body"
	}
	if strings.HasPrefix(what, "unknown field") && holder != nil {
		return strangler.Invalid(path, "unknown field; %s has %s", holder.FullName(), fieldList(holder))
	}
	return strangler.Invalid(path, "%s", what)
}

// notJSON says where a body stops being JSON.
func notJSON(under string, err error) *strangler.Error {
	if under == "" {
		under = "body"
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return strangler.Invalid(under, "not valid JSON, at byte %d: %v", syntax.Offset, syntax)
	}
	return strangler.Invalid(under, "not valid JSON")
}

// parseError takes protojson's error apart: "proto: (line 1:20): unknown field \"x\"". Its first space may be one of
// two kinds, so that nobody relies on the text; where it does not parse, the line is 0.
func parseError(err error) (line, col int, what string) {
	what = strings.TrimPrefix(err.Error(), "proto:")
	what = strings.TrimLeftFunc(what, unicode.IsSpace)
	before, after, found := strings.Cut(what, "(line ")
	where, text, closed := strings.Cut(after, "):")
	l, c, both := strings.Cut(where, ":")
	if !found || !closed || !both {
		return 0, 0, what
	}
	line, err = strconv.Atoi(l)
	if err != nil {
		return 0, 0, before
	}
	if col, err = strconv.Atoi(c); err != nil {
		return 0, 0, before
	}
	return line, col, strings.TrimSpace(text)
}

// offset gives the byte offset of a line and a column in bytes, both from 1.
func offset(text []byte, line, col int) int {
	at := 0
	for range line - 1 {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	return min(at+col-1, len(text))
}

// frame is an object or array on the way to a position.
type frame struct {
	md    protoreflect.MessageDescriptor // of an object's fields; nil for maps, arrays and free JSON
	elem  protoreflect.MessageDescriptor // of what an array or a map holds
	array bool
	index int
	key   string // the member that is being read, in the .proto file's name; "" before one
	inKey bool   // a value comes next
}

// locate gives the path of the member at an offset, in the .proto file's names, and the message that the member is
// in (nil where that is not known).
func locate(text []byte, at int, md protoreflect.MessageDescriptor) (string, protoreflect.MessageDescriptor) {
	dec := json.NewDecoder(bytes.NewReader(text))
	var stack []frame
	next := md // of the object that may open next
	for {
		tok, err := dec.Token()
		if err != nil {
			return pathOf(stack), holder(stack)
		}
		var top *frame
		if len(stack) > 0 {
			top = &stack[len(stack)-1]
		}
		delim, isDelim := tok.(json.Delim)
		closes := isDelim && (delim == '}' || delim == ']')
		isKey := top != nil && !top.array && !top.inKey && !closes
		var elem protoreflect.MessageDescriptor
		switch {
		case isKey:
			name, _ := tok.(string)
			top.key, top.inKey = name, true
			next = top.elem
			if fd := member(top.md, name); fd != nil {
				top.key = string(fd.Name())
				next = fd.Message()
			}
		case top != nil && top.array && !closes:
			next = top.elem
		}
		if int(dec.InputOffset()) > at {
			return pathOf(stack), holder(stack)
		}
		if isKey {
			continue
		}
		switch {
		case isDelim && delim == '{':
			f := frame{md: next}
			if next != nil && next.IsMapEntry() {
				f = frame{elem: next.Fields().ByNumber(2).Message()}
			}
			stack = append(stack, f)
			continue
		case isDelim && delim == '[':
			elem = next
			stack = append(stack, frame{array: true, elem: elem})
			continue
		case closes:
			stack = stack[:len(stack)-1]
		}
		if len(stack) == 0 {
			return "", md
		}
		top = &stack[len(stack)-1]
		top.key, top.inKey = "", false
		top.index++
	}
}

func member(md protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if md == nil {
		return nil
	}
	return field(md, name)
}

func holder(stack []frame) protoreflect.MessageDescriptor {
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1].md
}

func pathOf(stack []frame) string {
	var b strings.Builder
	for _, f := range stack {
		switch {
		case f.array:
			b.WriteString("[" + strconv.Itoa(f.index) + "]")
		case f.key != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(f.key)
		}
	}
	return b.String()
}
