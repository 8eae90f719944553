package openapi

import (
	"maps"
	"slices"

	"google.golang.org/genproto/googleapis/rpc/code"
)

// errorName is the name of the schema and the response of errors; a message of that name, which only a contract without
// a package can have, has it in the schemas before.
const errorName = "Error"

// errorSchema gives the name of the schema of errors.
func (b *builder) errorSchema() string {
	if b.version.Package == "" {
		return errorName + "-Reply"
	}
	return errorName
}

// components gives what operations refer to.
func (b *builder) components() components {
	list := append(b.schemas.list, member[*schema]{b.errorSchema(), errorForm()}) //nolint:gocritic // nothing is added to the list any more
	slices.SortFunc(list, func(x, y member[*schema]) int {
		switch {
		case x.name < y.name:
			return -1
		case x.name > y.name:
			return 1
		}
		return 0
	})
	headers := append(b.answerHeaders(), member[header]{
		"Retry-After", header{Description: "How many seconds to wait before trying again, where that helps.", Schema: &schema{Type: typeInteger}},
	})
	if b.opts.Access.Tokens {
		headers = append(headers, member[header]{
			"WWW-Authenticate", header{Description: "What is wrong with the access token (RFC 6750), with 401 and 403.", Schema: &schema{Type: typeString}},
		})
	}
	out := components{
		Schemas: list,
		Responses: members[response]{{errorName, response{
			Description: "The call failed. `details` has the reason for programs, and the fields that are to blame.",
			Headers:     headers,
			Content:     members[mediaType]{{jsonType, mediaType{Schema: &schema{Ref: schemaPrefix + b.errorSchema()}}}},
		}}},
		Headers:         b.headers(),
		SecuritySchemes: b.opts.Access.schemes(),
	}
	if b.kept {
		out.Parameters = members[parameter]{{keyHeader, keyParameter(b.opts.KeysKept)}}
	}
	return out
}

// errorForm is an error as package problem writes it (AIP-193).
func errorForm() *schema {
	var names []any
	for _, n := range slices.Sorted(maps.Keys(code.Code_name)) {
		if n != int32(code.Code_OK) {
			names = append(names, code.Code_name[n])
		}
	}
	text := func(description string) *schema { return &schema{Type: typeString, Description: description} }
	detail := func(name string, properties ...member[*schema]) *schema {
		of := &schema{Const: "type.googleapis.com/google.rpc." + name}
		return &schema{Type: typeObject, Properties: append(members[*schema]{{"@type", of}}, properties...), Required: []string{"@type"}}
	}
	violation := &schema{Type: typeObject, Properties: members[*schema]{
		{"field", text("The path of the field in the request, in the names of the .proto file.")},
		{"description", text("What is wrong with it.")},
	}}
	details := &schema{AnyOf: []*schema{
		detail("ErrorInfo",
			member[*schema]{"reason", text("What went wrong, for programs: NOT_FOUND, OUT_OF_STOCK.")},
			member[*schema]{"domain", text("Whose reason it is.")},
			member[*schema]{"metadata", &schema{Type: typeObject, AdditionalProperties: &schema{Type: typeString}}}),
		detail("BadRequest", member[*schema]{"fieldViolations", &schema{Type: typeArray, Items: violation}}),
		{Type: typeObject, Properties: members[*schema]{{"@type", &schema{Type: typeString}}}, Required: []string{"@type"}},
	}}
	return &schema{
		Type: typeObject, Description: "An error in the form of AIP-193.", Required: []string{"error"},
		Properties: members[*schema]{{"error", &schema{
			Type: typeObject, Required: []string{"code", "message", "status", "details"},
			Properties: members[*schema]{
				{"code", &schema{Type: typeInteger, Description: "The HTTP status."}},
				{"message", text("What went wrong and what to do, for people.")},
				{"status", &schema{Type: typeString, Enum: names, Description: "The name of gRPC's code."}},
				{"details", &schema{Type: typeArray, Items: details}},
			},
		}}},
	}
}
