package binlog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// gtids are the transactions before a place. On MariaDB the last one of each domain stands for all before it; on MySQL
// they are sets of intervals (MySQL Reference Manual, "GTID Format and Storage").
type gtids struct {
	domains []mariaGTID
	sources []source
	// text is the set as text, until it changes.
	text string
	buf  []byte
}

type mariaGTID struct {
	domain, server uint32
	sequence       uint64
}

// source has a MySQL server's intervals; its name is a UUID, with :tag behind it where there is one.
type source struct {
	name      string
	intervals []interval
}

type interval struct{ first, last uint64 }

func parseGTIDs(mariadb bool, text string) (*gtids, error) {
	g := &gtids{}
	for element := range strings.SplitSeq(strings.Join(strings.Fields(text), ""), ",") {
		if element == "" {
			continue
		}
		var err error
		if mariadb {
			err = g.parseMaria(element)
		} else {
			err = g.parseSource(element)
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no GTID: %w", element, err)
		}
	}
	return g, nil
}

func (g *gtids) parseMaria(text string) error {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		return fmt.Errorf("want domain-server-sequence")
	}
	domain, err1 := strconv.ParseUint(parts[0], 10, 32)
	server, err2 := strconv.ParseUint(parts[1], 10, 32)
	sequence, err3 := strconv.ParseUint(parts[2], 10, 64)
	if err := cmp.Or(err1, err2, err3); err != nil {
		return fmt.Errorf("read its numbers: %w", err)
	}
	g.addMaria(mariaGTID{uint32(domain), uint32(server), sequence})
	return nil
}

func (g *gtids) parseSource(text string) error {
	parts := strings.Split(strings.ToLower(text), ":")
	if len(parts[0]) != 36 {
		return fmt.Errorf("want uuid:first-last")
	}
	name := parts[0]
	for _, part := range parts[1:] {
		if part == "" || part[0] < '0' || part[0] > '9' {
			name = parts[0] + ":" + part
			continue
		}
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.ParseUint(from, 10, 63)
		last := first
		if err == nil && ranged {
			last, err = strconv.ParseUint(to, 10, 63)
		}
		if err != nil {
			return fmt.Errorf("read its numbers: %w", err)
		}
		if first == 0 || last < first {
			return fmt.Errorf("want first-last, counted from 1")
		}
		g.add(name, interval{first, last})
	}
	return nil
}

func (g *gtids) addMaria(id mariaGTID) {
	g.text = ""
	i, found := slices.BinarySearchFunc(g.domains, id.domain, func(d mariaGTID, domain uint32) int { return cmp.Compare(d.domain, domain) })
	if found {
		g.domains[i] = id
		return
	}
	g.domains = slices.Insert(g.domains, i, id)
}

func (g *gtids) add(name string, add interval) {
	g.text = ""
	i, found := slices.BinarySearchFunc(g.sources, name, func(s source, name string) int { return cmp.Compare(s.name, name) })
	if !found {
		g.sources = slices.Insert(g.sources, i, source{name: name})
	}
	s := &g.sources[i]
	// Usually it is the next one.
	if n := len(s.intervals); n > 0 && s.intervals[n-1].last+1 == add.first {
		s.intervals[n-1].last = add.last
		return
	}
	at, _ := slices.BinarySearchFunc(s.intervals, add.first, func(iv interval, first uint64) int { return cmp.Compare(iv.first, first) })
	s.intervals = slices.Insert(s.intervals, at, add)
	merged := s.intervals[:1]
	for _, iv := range s.intervals[1:] {
		if last := &merged[len(merged)-1]; iv.first <= last.last+1 {
			last.last = max(last.last, iv.last)
		} else {
			merged = append(merged, iv)
		}
	}
	s.intervals = merged
}

func (g *gtids) empty() bool { return len(g.domains) == 0 && len(g.sources) == 0 }

// String gives the set in the server's notation.
func (g *gtids) String() string {
	if g.text != "" {
		return g.text
	}
	b := g.buf[:0]
	for _, d := range g.domains {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = d.append(b)
	}
	for _, s := range g.sources {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = append(b, s.name...)
		for _, iv := range s.intervals {
			b = strconv.AppendUint(append(b, ':'), iv.first, 10)
			if iv.last != iv.first {
				b = strconv.AppendUint(append(b, '-'), iv.last, 10)
			}
		}
	}
	g.buf, g.text = b, string(b)
	return g.text
}

func (m mariaGTID) append(b []byte) []byte {
	b = strconv.AppendUint(b, uint64(m.domain), 10)
	b = strconv.AppendUint(append(b, '-'), uint64(m.server), 10)
	return strconv.AppendUint(append(b, '-'), m.sequence, 10)
}

// same says that two positions' GTIDs mean the same transactions.
func (g *gtids) same(h *gtids) bool { return g.String() == h.String() }
