package legacy

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoreflect"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/legacy/annotated"
)

// writable lists the paths of the resource that statements write: parameters of what is stored, not those that only find
// rows or are told in messages.
func (op *operation) writable() []string {
	var out []string
	keys := op.finding()
	add := func(path string) {
		if path != "" && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	for _, s := range op.statements {
		for _, v := range s.checked() {
			for _, p := range storing(v) {
				// What an UPDATE sets is meant to change; an INSERT of children repeats their parent's key.
				if p.param != nil && (v.outline.Main == annotated.VerbUpdate || !slices.Contains(keys, p.param.maskPath)) {
					add(p.param.maskPath)
				}
			}
		}
		if s.each != nil && s.ast.Kind == annotated.Exec {
			add(s.each.maskPath)
		}
		if s.call != nil && s.call.op != nil && s.call.op.rpc != nil && !s.call.op.rpc.Read {
			for _, a := range s.call.args {
				add(a.param.maskPath)
			}
		}
	}
	return out
}

// finding lists the paths of the resource that find the rows to change, on lines that are always there: its key, which
// a mask can't change even where it is stored again in a child's rows.
func (op *operation) finding() []string {
	var out []string
	for _, s := range op.statements {
		if s.ast.Kind != annotated.Exec {
			continue
		}
		for _, v := range s.checked()[:min(1, len(s.checked()))] { // without optional lines
			where, ok := v.outline.Clause(annotated.ClauseWhere)
			if !ok {
				continue
			}
			for _, p := range cut(v.pieces, where.Body) {
				if p.param != nil && p.param.maskPath != "" && !p.param.list {
					out = append(out, p.param.maskPath)
				}
			}
		}
	}
	return out
}

// comparesEtag tells whether statements use the resource's etag, and store it nowhere.
func (op *operation) comparesEtag(writable []string) (used bool) {
	op.eachParam(func(p *param) { used = used || p.maskPath == etagField })
	return used && !slices.Contains(writable, etagField)
}

// storing gives the pieces of a statement whose parameters are stored.
func storing(v *variant) []piece {
	switch v.outline.Main {
	case annotated.VerbInsert, annotated.VerbReplace, annotated.VerbCall:
		return v.pieces
	case annotated.VerbUpdate:
		if set, ok := v.outline.Clause(annotated.ClauseSet); ok {
			return cut(v.pieces, set.Body)
		}
	}
	return nil
}

// unused warns of input fields that nothing uses: what a caller sends there is dropped in silence.
func (b *binder) unused(op *operation) {
	used := map[string]bool{"page_token": true}
	if op.pager != nil {
		used["page_size"] = true
	}
	if op.mask != nil {
		used["update_mask"] = true
	}
	if op.rpc != nil && op.rpc.ValidateOnly != nil {
		used["validate_only"] = true
	}
	op.eachParam(func(p *param) {
		if p.origin == fromRequest || p.ast.Path[0] != "auth" {
			used[strings.Join(p.ast.Path, ".")] = true
		}
	})
	var conditions []string
	for _, s := range op.statements {
		if s.each != nil && s.each.path != nil {
			b.eachUsed(op, s, used)
		}
		for _, l := range s.lines {
			if l.cel != nil {
				conditions = append(conditions, l.ast.If)
			}
		}
	}
	u := &usage{used: used, conditions: strings.Join(conditions, "\n")}
	if names := u.unused(op.input, "", 0); len(names) > 0 {
		b.faults.Warn(op.pos, "use them as parameters, mark them OUTPUT_ONLY, or remove them from the contract", "nothing uses these fields of %s, so what callers send in them is ignored: %s", op.input.FullName(), strings.Join(names, ", "))
	}
}

// eachUsed counts what a statement uses of the elements of its list.
func (b *binder) eachUsed(op *operation, s *statement, used map[string]bool) {
	names := make([]string, len(s.each.path))
	for i, fd := range s.each.path {
		names[i] = string(fd.Name())
	}
	list := strings.Join(names, ".")
	if s.each.field.Message() == nil || s.each.field.IsMap() {
		used[list] = true
		return
	}
	op.eachParam(func(p *param) {
		if p.origin == fromElement && p.ast.Path[0] == s.each.name {
			used[strings.Join(append([]string{list}, p.ast.Path[1:]...), ".")] = true
		}
	})
}

// usage finds the fields that nothing uses. A field is used when it, a message above it, or something below it is a
// parameter, or when a condition names it.
type usage struct {
	used       map[string]bool
	conditions string
}

// deepest bounds how far messages are looked into: those that hold themselves have no end.
const deepest = 6

func (u *usage) unused(md protoreflect.MessageDescriptor, above string, depth int) []string {
	var out []string
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		path := above + string(fd.Name())
		switch {
		case u.used[path] || outputOnly(fd) || u.named(fd):
		case !u.usedBelow(path):
			out = append(out, path)
		case fd.Message() != nil && !fd.IsMap() && depth < deepest:
			out = append(out, u.unused(fd.Message(), path+".", depth+1)...)
		}
	}
	return out
}

func (u *usage) usedBelow(path string) bool {
	for p := range u.used {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

// named tells whether a condition has the field's name as a word.
func (u *usage) named(fd protoreflect.FieldDescriptor) bool {
	return u.conditions != "" && regexp.MustCompile(`\b`+string(fd.Name())+`\b`).MatchString(u.conditions)
}

// outputOnly tells whether callers are told not to send the field: (google.api.field_behavior) = OUTPUT_ONLY or
// IDENTIFIER.
func outputOnly(fd protoreflect.FieldDescriptor) bool {
	return slices.ContainsFunc(contract.Behaviors(fd), func(b annotations.FieldBehavior) bool {
		return b == annotations.FieldBehavior_OUTPUT_ONLY || b == annotations.FieldBehavior_IDENTIFIER
	})
}
