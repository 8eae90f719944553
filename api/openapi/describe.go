package openapi

import (
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"banyan.dev/banyan/contract"
)

// comment gives what the .proto file says about a declaration, in CommonMark: the comment before it, or the one behind
// it in its line.
func comment(d protoreflect.Descriptor) string {
	at := d.ParentFile().SourceLocations().ByDescriptor(d)
	return commentOf(at)
}

func commentOf(at protoreflect.SourceLocation) string {
	text := at.LeadingComments
	if strings.TrimSpace(text) == "" {
		text = at.TrailingComments
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.TrimPrefix(line, " "), " \t\r")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// paragraphs joins texts, empty ones left out.
func paragraphs(texts ...string) string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return strings.Join(out, "\n\n")
}

// summary gives the first sentence of a comment, on one line and without its full stop; "" when it is too long for a
// line in a list.
func summary(text string) string {
	const most = 120
	first, _, _ := strings.Cut(text, "\n\n")
	first = strings.Join(strings.Fields(first), " ")
	if sentence, _, more := strings.Cut(first, ". "); more {
		first = sentence
	}
	first = strings.TrimSuffix(first, ".")
	if len(first) > most {
		return ""
	}
	return first
}

// choice says which other fields can't be set with this one. prefix is put before their names.
func choice(fd protoreflect.FieldDescriptor, prefix string) string {
	o := fd.ContainingOneof()
	if o == nil || o.IsSynthetic() || o.Fields().Len() < 2 {
		return ""
	}
	names := make([]string, o.Fields().Len())
	for i := range names {
		names[i] = "`" + prefix + o.Fields().Get(i).JSONName() + "`"
	}
	return "At most one of " + strings.Join(names, ", ") + " is set."
}

// fieldText gives a field's comment. The fields of AIP-158 are explained where the contract does not.
func fieldText(fd protoreflect.FieldDescriptor) string {
	if text := comment(fd); text != "" {
		return text
	}
	switch fd.Name() {
	case "page_size":
		return "How many items to give at most; 0 leaves it to the server."
	case "page_token":
		return "The `nextPageToken` of the page before, with the same other parameters; empty for the first page."
	case "next_page_token":
		return "Asks for the next page; empty on the last."
	}
	return ""
}

// valueText gives a line of a list about an enum's value; "" when there is nothing to say.
func valueText(v protoreflect.EnumValueDescriptor) string {
	text := strings.Join(strings.Fields(comment(v)), " ")
	if isDeprecated(v) {
		text = strings.TrimSpace("Deprecated. " + text)
	}
	if text == "" {
		return ""
	}
	return "- `" + string(v.Name()) + "`: " + text + "\n"
}

// behavior is what (google.api.field_behavior) says of a field.
type behavior struct{ required, outputOnly, inputOnly, immutable, unordered bool }

func behaviors(fd protoreflect.FieldDescriptor) behavior {
	var out behavior
	for _, b := range contract.Behaviors(fd) {
		switch b {
		case annotations.FieldBehavior_REQUIRED:
			out.required = true
		case annotations.FieldBehavior_OUTPUT_ONLY:
			out.outputOnly = true
		case annotations.FieldBehavior_INPUT_ONLY:
			out.inputOnly = true
		case annotations.FieldBehavior_IMMUTABLE:
			out.immutable = true
		case annotations.FieldBehavior_UNORDERED_LIST:
			out.unordered = true
		default:
		}
	}
	return out
}

// note says what JSON Schema has no keyword for.
func (b behavior) note() string {
	var out []string
	if b.immutable {
		out = append(out, "It can't be changed once it is set.")
	}
	if b.unordered {
		out = append(out, "The order means nothing.")
	}
	return strings.Join(out, " ")
}

// isDeprecated tells whether a declaration has option deprecated = true.
func isDeprecated(d protoreflect.Descriptor) bool {
	options, ok := d.Options().(interface{ GetDeprecated() bool })
	return ok && options.GetDeprecated()
}

// obsolete tells whether an operation is deprecated, by itself or with its service or file.
func obsolete(op *contract.Operation) bool {
	file, ok := op.Descriptor.ParentFile().Options().(*descriptorpb.FileOptions)
	return isDeprecated(op.Descriptor) || isDeprecated(op.Descriptor.Parent()) || ok && file.GetDeprecated()
}
