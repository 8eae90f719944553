package annotated

import (
	"sort"
	"strings"
	"unicode/utf8"

	"banyan.dev/banyan/internal/fault"
)

const bom = "\ufeff"

// source is a file's text with its line starts, so that a byte offset becomes a position.
type source struct {
	name  string
	text  string
	lines []int // offset of each line's first byte
}

// newSource drops a byte order mark: editors don't show it, so columns don't count it.
func newSource(name string, src []byte) *source {
	s := &source{name: name, text: strings.TrimPrefix(string(src), bom), lines: []int{0}}
	for i := range len(s.text) {
		if s.text[i] == '\n' {
			s.lines = append(s.lines, i+1)
		}
	}
	return s
}

// pos gives the line and the column (in bytes, from 1) of an offset.
func (s *source) pos(off int) fault.Pos {
	n := sort.SearchInts(s.lines, off+1) - 1
	return fault.Pos{File: s.name, Line: n + 1, Col: off - s.lines[n] + 1}
}

// lineEnd gives the offset of the line break at or after off: of \n, or of \r in \r\n.
func (s *source) lineEnd(off int) int { return lineEnd(s.text, off) }

// nextLine gives the offset of the line after the one that off is on.
func (s *source) nextLine(off int) int {
	n := strings.IndexByte(s.text[off:], '\n')
	if n < 0 {
		return len(s.text)
	}
	return off + n + 1
}

func lineEnd(s string, off int) int {
	n := strings.IndexByte(s[off:], '\n')
	if n < 0 {
		return len(s)
	}
	end := off + n
	if end > off && s[end-1] == '\r' {
		end--
	}
	return end
}

// checkEncoding reports the first byte of each line that is no UTF-8 or NUL. It tells whether the text is worth
// reading: UTF-16 is not, since every second byte of it would be a fault.
func (s *source) checkEncoding(faults *fault.List) bool {
	if strings.HasPrefix(s.text, "\xff\xfe") || strings.HasPrefix(s.text, "\xfe\xff") {
		faults.Add(s.pos(0), "save the file as UTF-8", "the file is UTF-16")
		return false
	}
	for n, start := range s.lines {
		end := len(s.text)
		if n+1 < len(s.lines) {
			end = s.lines[n+1]
		}
		for i := start; i < end; {
			r, size := utf8.DecodeRuneInString(s.text[i:end])
			if r == utf8.RuneError && size <= 1 {
				faults.Add(s.pos(i), "save the file as UTF-8", "byte 0x%02x is not UTF-8", s.text[i])
				break
			}
			if r == 0 {
				faults.Add(s.pos(i), `remove it; in a string write \0`, "a NUL byte")
				break
			}
			i += size
		}
	}
	return true
}
