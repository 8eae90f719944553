package openapi

import (
	"net/textproto"
	"strings"
	"time"

	"banyan.dev/banyan/contract"
	"banyan.dev/banyan/strangler"
)

const requestIDHeader = "X-Request-Id"

// The header of a write's key, and the one that marks the answer to a repetition.
var (
	keyHeader      = textproto.CanonicalMIMEHeaderKey(strangler.IdempotencyKeyHeader)
	replayedHeader = textproto.CanonicalMIMEHeaderKey(strangler.ReplayedHeader)
)

// keptText says how a key is used, to people. What can be said of it for programs is in its schema.
var keptText = "Names this call, so that it can be repeated until there is an answer and happens once: a new one for each write, " +
	"such as a UUID. A repetition has the same key and is the same otherwise; its answer is the first one's, marked by `" + replayedHeader + "`. " +
	"What was refused has not happened, and leaves the key free.\n\n" +
	"- 400 `" + strangler.ReasonKeyReused + "`: the key was used for another operation or request.\n" +
	"- 409 `" + strangler.ReasonInProgress + "`: the first call is still under way; repeat it.\n" +
	"- 500 `" + strangler.ReasonOutcomeUnknown + "`: rare; nobody can tell whether it has happened, so read it back."

// longestKey is the longest key with quotes around it.
const longestKey = 255 + len(`""`)

// keyParameter describes the header of a write's key.
func keyParameter(kept time.Duration) parameter {
	text := keptText
	if kept > 0 {
		text += "\n\nKeys are kept for " + span(kept) + "."
	}
	return parameter{
		Name: keyHeader, In: "header", Description: text,
		Schema: &schema{Type: typeString, Pattern: "^[ -~]+$", MinLength: 1, MaxLength: longestKey},
	}
}

// span writes a duration without the parts that are zero.
func span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// keeps tells whether an operation keeps keys.
func (b *builder) keeps(op *contract.Operation) bool {
	return !op.Read && b.opts.Keys != nil && b.opts.Keys(op)
}

// headerRef refers to a header that every answer of its kind has.
func headerRef(name string) member[header] {
	return member[header]{name, header{Ref: "#/components/headers/" + name}}
}

// answerHeaders gives the headers that every answer has, errors included.
func (b *builder) answerHeaders() members[header] {
	out := members[header]{headerRef(requestIDHeader)}
	for _, f := range b.notice {
		out = append(out, headerRef(f.Name))
	}
	return out
}

// headers describes what answers refer to.
func (b *builder) headers() members[header] {
	text := &schema{Type: typeString}
	out := members[header]{{requestIDHeader, header{
		Description: "The request's id: its own, or one that was made for it. The log has it.", Schema: text,
	}}}
	if b.kept {
		out = append(out, member[header]{replayedHeader, header{
			Description: "`true` where the call repeats one that was done before, by its `" + keyHeader + "`; else it is not there.",
			Schema:      &schema{Type: typeString, Const: "true"},
		}})
	}
	for _, f := range b.notice {
		says := map[string]string{
			"Deprecation": "Since when the version is deprecated, or from when on it will be, in seconds since 1970 (RFC 9745).",
			"Sunset":      "From when on the version may be gone (RFC 8594).",
			"Link":        "The page that says what to do instead.",
		}[f.Name]
		out = append(out, member[header]{f.Name, header{Description: says, Schema: &schema{Type: typeString, Examples: []any{f.Value}}}})
	}
	return out
}

// noticeText says to people that the version will go.
func (b *builder) noticeText() string {
	n := b.end
	const day = "2006-01-02"
	var parts []string
	if !n.Deprecated.IsZero() {
		parts = append(parts, "is deprecated from "+n.Deprecated.UTC().Format(day)+" on")
	}
	if !n.Sunset.IsZero() {
		gone := "may be gone"
		if n.Refused {
			gone = "is gone"
		}
		parts = append(parts, gone+" from "+n.Sunset.UTC().Format(day)+" on")
	}
	if len(parts) == 0 {
		return ""
	}
	text := "This version " + strings.Join(parts, ", and ") + "."
	if n.Link != "" {
		text += " What to do: <" + n.Link + ">"
	}
	return text
}
