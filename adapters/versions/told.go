package versions

import (
	"regexp"
	"slices"
	"strings"

	"banyan.dev/banyan/strangler"
)

// told gives an error of the newer operation as one of the older: fields that it names are those of the older version,
// and so are the domain and the operation.
func (t *translation) told(err error) error {
	e := strangler.AsError(err)
	out := *e
	if out.Domain == string(t.newer.Descriptor.ParentFile().Package()) {
		out.Domain = string(t.older.Descriptor.ParentFile().Package())
	}
	out.Violations = slices.Clone(e.Violations)
	out.Message = t.text(e.Message)
	for i, v := range out.Violations {
		field, ok := t.field(v.Field)
		description := t.renamed(v.Description)
		if t.request != nil && t.request.mask != nil && v.Field == string(t.request.mask.target.Name()) {
			description = t.maskText(description)
		}
		if e.Message == v.Field+": "+v.Description {
			out.Message = field + ": " + description
		}
		if ok {
			out.Violations[i] = strangler.Violation{Field: field, Description: description}
		} else {
			out.Violations[i].Description = description
		}
	}
	return &out
}

// field gives the older name of a field that an error names: of the request, or of the resource that it is about.
func (t *translation) field(name string) (older string, ok bool) {
	path := segments(name)
	if t.request == nil {
		return name, true
	}
	if out, ok := t.request.backward(path); ok {
		return join(out), true
	}
	if t.changed != nil {
		if out, ok := t.changed.backward(path); ok {
			return join(out), true
		}
	}
	return name, false
}

// leading finds the field that a message begins with: `lines[0].quantity: …`.
var leading = regexp.MustCompile(`^[a-z][a-z0-9_]*(\[[^\]]*\])?(\.[a-z][a-z0-9_]*(\[[^\]]*\])?)*: `)

// text gives a message with older names, where it begins with a field or names the operation.
func (t *translation) text(message string) string {
	message = t.renamed(message)
	found := leading.FindString(message)
	if found == "" {
		return message
	}
	if older, ok := t.field(strings.TrimSuffix(found, ": ")); ok {
		return older + message[len(found)-2:]
	}
	return message
}

// fullName finds what may be the full name of an operation, a message or an enum.
var fullName = regexp.MustCompile(`[a-z][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+`)

// renamed gives a text with the older names of the operation, and of what requests are made of.
func (t *translation) renamed(text string) string {
	return fullName.ReplaceAllStringFunc(text, func(name string) string {
		if older, ok := t.names[name]; ok {
			return older
		}
		return name
	})
}

// nameAll fills names.
func (t *translation) nameAll() {
	t.names = map[string]string{string(t.newer.Name): string(t.older.Name)}
	seen := map[*plan]bool{}
	var visit func(p *plan)
	visit = func(p *plan) {
		if p == nil || seen[p] {
			return
		}
		seen[p] = true
		t.names[string(p.target.FullName())] = string(p.source.FullName())
		p.root.each(func(s *step) {
			for _, c := range s.copies {
				if c.target.Enum() != nil {
					t.names[string(c.target.Enum().FullName())] = string(s.field.Enum().FullName())
				}
				visit(c.sub)
			}
		})
	}
	visit(t.request)
}

// quoted finds paths that are quoted in what is said of a mask.
var quoted = regexp.MustCompile(`"[a-z][a-z0-9_.]*"`)

// maskText gives what is said of a mask with older paths, which are those of the resource.
func (t *translation) maskText(description string) string {
	return quoted.ReplaceAllStringFunc(description, func(path string) string {
		name := prefixOfResource(t.newerResource) + strings.Trim(path, `"`)
		older, ok := t.request.backward(segments(name))
		if !ok {
			return path
		}
		return `"` + strings.TrimPrefix(join(older), prefixOfResource(t.resource)) + `"`
	})
}
