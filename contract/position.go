package contract

import (
	"bytes"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/internal/fault"
)

// tabWidth is how far the compiler lets a tab reach when it counts columns, as protoc does.
const tabWidth = 8

// pos gives the place of a declaration, or of the part of it under the further path (descriptor.proto, SourceCodeInfo).
// Where the exact part has no location of its own, the nearest one around it is given.
func (s sources) pos(d protoreflect.Descriptor, further ...int32) fault.Pos {
	file := d.ParentFile()
	src := s[file.Path()]
	if src == nil {
		return fault.Pos{File: file.Path()}
	}
	locations := file.SourceLocations()
	base := locations.ByDescriptor(d)
	if base.Path == nil {
		return fault.Pos{File: src.display}
	}
	for n := len(further); n > 0; n-- {
		full := append(append(protoreflect.SourcePath(nil), base.Path...), further[:n]...)
		if loc := locations.ByPath(full); loc.Path != nil {
			return src.at(loc.StartLine, loc.StartColumn)
		}
	}
	return src.at(base.StartLine, base.StartColumn)
}

// top gives the place of a part of a file under a path, or of its first line.
func (s sources) top(file protoreflect.FileDescriptor, path ...int32) fault.Pos {
	src := s[file.Path()]
	if src == nil {
		return fault.Pos{File: file.Path()}
	}
	if loc := file.SourceLocations().ByPath(path); loc.Path != nil {
		return src.at(loc.StartLine, loc.StartColumn)
	}
	return fault.Pos{File: src.display, Line: 1, Col: 1}
}

// at turns the compiler's line and column, from 0 and with tabs expanded, into a position with a column in bytes.
func (s *source) at(line, column int) fault.Pos {
	text := s.text
	for range line {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			break
		}
		text = text[i+1:]
	}
	col := 0
	for i := 0; i < len(text); {
		if col >= column || text[i] == '\n' {
			return fault.Pos{File: s.display, Line: line + 1, Col: i + 1}
		}
		if text[i] == '\t' {
			col += tabWidth - col%tabWidth
			i++
			continue
		}
		_, size := utf8.DecodeRune(text[i:])
		col++
		i += size
	}
	return fault.Pos{File: s.display, Line: line + 1, Col: len(text) + 1}
}

// offset turns a byte offset into a position.
func (s *source) offset(n int) fault.Pos {
	n = min(max(n, 0), len(s.text))
	before := s.text[:n]
	return fault.Pos{
		File: s.display,
		Line: bytes.Count(before, []byte{'\n'}) + 1,
		Col:  n - bytes.LastIndexByte(before, '\n'),
	}
}
