package cli

import (
	"strings"
	"unicode/utf8"
)

// The colours of a terminal (ECMA-48, SGR).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paint says whether what is written has colours.
type paint bool

// colours gives colours to a terminal, unless the environment forbids them (https://no-color.org).
func colours(sys System) paint {
	_, plain := sys.LookupEnv("NO_COLOR")
	return paint(!plain && terminal(sys.Stdout))
}

func (p paint) in(colour, text string) string {
	if !p || text == "" || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// printable keeps what a database says from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '�'
		}
		return r
	}, text)
}

// columns writes rows under a head, each column as wide as its widest cell; colour gives a cell's.
func (p paint) columns(head []string, rows [][]string, colour func(row, column int) string) string {
	widths := make([]int, len(head))
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var all strings.Builder
	line := func(cells []string, colour func(column int) string) {
		var b strings.Builder
		for i, cell := range cells {
			b.WriteString(p.in(colour(i), cell))
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		all.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	}
	line(head, func(int) string { return dim })
	for n, row := range rows {
		line(row, func(i int) string { return colour(n, i) })
	}
	return all.String()
}
