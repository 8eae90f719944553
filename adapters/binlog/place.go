package binlog

import (
	"errors"
	"math"

	"banyan.dev/banyan/mirror/change"
)

// place follows where the reader is in the log. Events have only the lower 32 bits of where they end.
type place struct {
	server, file string
	number       uint32
	offset       uint64
	// loose says that the GTIDs that are passed are not known to be those before the place: it is no place to go on from.
	loose bool
}

// enter goes to a place in a file.
func (p *place) enter(file string, offset uint64) error {
	number, err := change.FileNumber(file)
	if err != nil {
		return err
	}
	p.file, p.number, p.offset = file, number, offset
	return nil
}

var errBackwards = errors.New("it lies before what was read already")

// pass goes behind an event and gives where it begins.
func (p *place) pass(e event) (start uint64, err error) {
	switch {
	case e.flags&flagArtificial != 0:
		return p.offset, nil // It was made for the link and is not in the file.
	case e.end == 0:
		// MariaDB 11.4 and later leave it out within transactions, and servers in a format description that is sent again.
		start = p.offset
		if e.kind != kindFormat {
			p.offset += uint64(e.size)
		}
		return start, nil
	case e.kind == kindFormat && uint64(e.end) <= p.offset:
		return p.offset, nil
	}
	end := p.offset&^math.MaxUint32 | uint64(e.end)
	if end < p.offset {
		if p.offset-end < 1<<31 {
			return 0, errBackwards
		}
		end += 1 << 32
	}
	p.offset = end
	if uint64(e.size) > end {
		return 0, errBackwards
	}
	return end - uint64(e.size), nil
}

func (p *place) position(gtids string) change.Position {
	return change.Position{Server: p.server, File: p.file, Offset: p.offset, GTIDs: gtids, ByGTIDs: p.loose}
}
