package legacy

import (
	"database/sql/driver"
	"fmt"
	"hash/fnv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/legacy/value"
	"banyan.dev/banyan/strangler"
)

// Paging bounds the pages of lists.
type Paging struct {
	// DefaultSize is the size of a page when the caller names none; MaxSize is the largest, larger wishes are cut to it.
	DefaultSize, MaxSize int
	// Keys are secrets that seal page tokens: the first seals, all open. Without one a key is made at start, and tokens
	// end with the process.
	Keys []string
}

// pager is how an operation pages (AIP-158): keyset pages over the statement that has :page.
type pager struct {
	statement *statement
	size      protoreflect.FieldDescriptor // page_size
	token     protoreflect.FieldDescriptor // page_token
	next      protoreflect.FieldDescriptor // next_page_token of the reply
	codec     *value.Codec
	sealer    *sealer
	limits    Paging
}

// keysetItem is one item of an ORDER BY that pages.
type keysetItem struct {
	expr string // as it stands in the ORDER BY, or behind the alias that it names
	desc bool
	slot int // capture slot of the selected column
}

// page is the page that one request asks for.
type page struct {
	size   int
	cursor *cursor // nil for the first page
	more   bool    // there are rows behind the page
}

// read gives the page that a request asks for.
func (p *pager) read(req protoreflect.Message) (*page, error) {
	pg := &page{size: p.limits.DefaultSize}
	if n := req.Get(p.size).Int(); n < 0 {
		return nil, strangler.Invalid("page_size", "must not be negative")
	} else if n > 0 {
		pg.size = int(min(n, int64(p.limits.MaxSize)))
	}
	token := req.Get(p.token).String()
	if token == "" {
		return pg, nil
	}
	c, err := p.sealer.open(token)
	if err != nil {
		return nil, p.badToken()
	}
	if c.fingerprint != p.fingerprint(req) {
		return nil, strangler.Invalid("page_token", "was given for a list with other parameters; send the same ones with every page, or start again without a token")
	}
	pg.cursor = c
	return pg, nil
}

func (p *pager) badToken() error {
	return strangler.Invalid("page_token", "is not a token of this list as it is answered now; start again without one")
}

// fingerprint tells requests apart whose lists differ: all fields but the page's own.
func (p *pager) fingerprint(req protoreflect.Message) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.statement.op.target)) // an fnv hash never fails
	m := req.New()
	req.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd != p.size && fd != p.token {
			m.Set(fd, v)
		}
		return true
	})
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil { // the request was decoded from valid bytes
		return 0
	}
	_, _ = h.Write(b)
	return h.Sum64()
}

// nextToken seals where this page ended.
func (p *pager) nextToken(r *run, v *variant) (string, error) {
	res := &r.results[p.statement.index]
	c := &cursor{fingerprint: p.fingerprint(r.request), order: v.order}
	for _, item := range v.keyset {
		raw := res.captured(res.rows-1, item.slot)
		if raw == nil {
			c.values = append(c.values, nil)
			continue
		}
		b, err := p.codec.TokenValue(p.statement.captureColumn(item.slot), raw)
		if err != nil {
			return "", fmt.Errorf("keeping %s in a page token: %w", item.expr, err)
		}
		if b == nil {
			b = []byte{}
		}
		c.values = append(c.values, b)
	}
	return p.sealer.seal(c), nil
}

// appendNext appends next_page_token to a reply.
func (p *pager) appendNext(b []byte, token string) []byte {
	b = protowire.AppendTag(b, p.next.Number(), protowire.BytesType)
	return protowire.AppendString(b, token)
}

// keyset appends the condition that rows lie behind the cursor, and its arguments, spelled so that MySQL reads a range
// of the index: (a >= ? AND (a > ? OR (b > ?))), which it understands where it does not understand (a, b) > (?, ?).
// Without a cursor it is TRUE.
func (p *pager) keyset(sql *strings.Builder, r *run, v *variant) error {
	c := r.page.cursor
	if c == nil {
		sql.WriteString("TRUE")
		return nil
	}
	if c.order != v.order || len(c.values) != len(v.keyset) {
		return p.badToken()
	}
	args := make([]driver.Value, len(c.values))
	for i, b := range c.values {
		if b == nil {
			continue
		}
		a, err := p.codec.FromToken(p.statement.captureColumn(v.keyset[i].slot), b)
		if err != nil {
			return p.badToken()
		}
		args[i] = a
	}
	p.writeKeyset(sql, r, v.keyset, args)
	return nil
}

// writeKeyset writes the condition for items[0:] recursively. MySQL orders NULL before every value.
func (p *pager) writeKeyset(sql *strings.Builder, r *run, items []keysetItem, args []driver.Value) {
	it, arg := items[0], args[0]
	last := len(items) == 1
	column := p.statement.captureColumn(it.slot)
	hold := value.KeysetPlaceholder(column)
	cmp := func(op string) {
		sql.WriteString(it.expr + " " + op + " " + hold)
		r.arg(arg)
	}
	rest := func() {
		sql.WriteString(" AND ")
		p.writeKeyset(sql, r, items[1:], args[1:])
	}
	sql.WriteByte('(')
	defer sql.WriteByte(')')
	switch {
	case arg == nil && it.desc && last:
		sql.WriteString("FALSE") // NULL is last, and the key has an end
	case arg == nil && it.desc:
		sql.WriteString(it.expr + " IS NULL")
		rest()
	case arg == nil && last:
		sql.WriteString(it.expr + " IS NOT NULL")
	case arg == nil:
		sql.WriteString(it.expr + " IS NOT NULL OR " + it.expr + " IS NULL")
		rest()
	case it.desc && column.Nullable:
		cmp("<")
		sql.WriteString(" OR " + it.expr + " IS NULL")
		if !last {
			sql.WriteString(" OR ")
			cmp("=")
			rest()
		}
	case last:
		cmp(strict(it.desc))
	default:
		cmp(strict(it.desc) + "=")
		sql.WriteString(" AND (")
		cmp(strict(it.desc))
		sql.WriteString(" OR ")
		p.writeKeyset(sql, r, items[1:], args[1:])
		sql.WriteByte(')')
	}
}

func strict(desc bool) string {
	if desc {
		return "<"
	}
	return ">"
}
