package binlog

import (
	"encoding/hex"

	"banyan.dev/banyan/mirror/change"
)

func hexText(text string) string { return hex.EncodeToString([]byte(text)) }

// alter looks through an ALTER TABLE for what does more than change columns: renaming, and partitions that lose or
// exchange rows.
func (p *ddlParser) alter() {
	p.skip("ONLINE", "OFFLINE", "IGNORE")
	if !p.accept("TABLE") {
		return
	}
	p.exists()
	of, ok := p.name()
	if !ok {
		p.unclear()
		return
	}
	var to, other *qualified
	op, specs, fresh := change.Alter, 1, true
	for depth := 0; ; {
		t := p.next()
		switch {
		case t.kind == tokenEnd:
			p.altered(of, op, to, other, specs)
			return
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case t.symbol(",") && depth == 0:
			specs++
			fresh = true
			continue
		case depth != 0 || !fresh:
		case t.is("RENAME"):
			if p.peek().is("COLUMN", "INDEX", "KEY", "CONSTRAINT") {
				break
			}
			p.accept("TO", "AS")
			p.acceptSymbol("=")
			if name, ok := p.name(); ok {
				to = &name
			}
		case t.is("DROP", "TRUNCATE", "EXCHANGE", "REORGANIZE", "COALESCE", "DISCARD", "IMPORT", "CONVERT"):
			if p.peek().is("PARTITION") || p.peek().is("TABLESPACE") || t.is("CONVERT") && p.peek().is("TABLE") {
				op = change.Partition
				other = p.partner()
			}
		}
		fresh = false
	}
}

// partner finds the other table of EXCHANGE PARTITION … WITH TABLE, or of CONVERT PARTITION … TO TABLE and its inverse.
func (p *ddlParser) partner() *qualified {
	for p.peek().kind != tokenEnd && !p.peek().symbol(",") {
		if p.next().is("TABLE") {
			if name, ok := p.name(); ok {
				return &name
			}
			return nil
		}
	}
	return nil
}

func (p *ddlParser) altered(of qualified, op change.Op, to, other *qualified, specs int) {
	if to == nil || op != change.Alter || specs > 1 {
		p.add(op, of)
	}
	if other != nil {
		p.add(change.Partition, *other)
	}
	if to != nil {
		e := p.add(change.Rename, of)
		e.ToSchema, e.ToTable = to.schema, to.table
	}
}

// opaque finds the one table that a DML statement names.
func (p *ddlParser) opaque(verb token) {
	p.skip("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "QUICK", "IGNORE")
	switch {
	case verb.is("INSERT", "REPLACE"):
		p.accept("INTO")
	case verb.is("DELETE"):
		if !p.accept("FROM") {
			p.unclear()
			return
		}
	case verb.is("UPDATE"):
	default:
		p.unclear()
		return
	}
	of, ok := p.name()
	next := p.peek()
	if !ok || (verb.is("UPDATE") || verb.is("DELETE")) && (next.symbol(",") || next.is("USING", "JOIN", "LEFT", "RIGHT", "INNER", "CROSS", "NATURAL", "STRAIGHT_JOIN", "AS") || next.kind == tokenName) {
		p.unclear()
		return
	}
	p.add(change.Opaque, of)
}
