package openapi

import (
	"bytes"
	"encoding/json"
)

// specVersion is the version of the specification that documents are written in.
const specVersion = "3.1.1"

// document is an OpenAPI document; the types below are its parts, with the fields that are used here.
type document struct {
	OpenAPI    string             `json:"openapi"`
	Info       info               `json:"info"`
	Tags       []tag              `json:"tags,omitempty"`
	Security   security           `json:"security,omitempty"`
	Paths      members[*pathItem] `json:"paths"`
	Components components         `json:"components"`
}

type info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description,omitempty"`
}

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// pathItem has the operations of a path by method, in lower case.
type pathItem struct {
	operations members[*operation]
	// additional has those of other methods than OpenAPI 3.1 knows, by method.
	additional members[*operation]
}

type operation struct {
	Tags        []string          `json:"tags"`
	Summary     string            `json:"summary,omitempty"`
	Description string            `json:"description,omitempty"`
	OperationID string            `json:"operationId"`
	Parameters  []parameter       `json:"parameters,omitempty"`
	RequestBody *requestBody      `json:"requestBody,omitempty"`
	Responses   members[response] `json:"responses"`
	Deprecated  bool              `json:"deprecated,omitempty"`
	// Security is what holds instead of the document's.
	Security security `json:"security,omitempty"`
}

type parameter struct {
	Ref         string             `json:"$ref,omitempty"`
	Name        string             `json:"name,omitempty"`
	In          string             `json:"in,omitempty"`
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"`
	Deprecated  bool               `json:"deprecated,omitempty"`
	Style       string             `json:"style,omitempty"`
	Explode     bool               `json:"explode,omitempty"`
	Schema      *schema            `json:"schema,omitempty"`
	Content     members[mediaType] `json:"content,omitempty"`
}

type requestBody struct {
	Description string             `json:"description,omitempty"`
	Required    bool               `json:"required,omitempty"`
	Content     members[mediaType] `json:"content"`
}

type response struct {
	Ref         string             `json:"$ref,omitempty"`
	Description string             `json:"description,omitempty"`
	Headers     members[header]    `json:"headers,omitempty"`
	Content     members[mediaType] `json:"content,omitempty"`
}

type header struct {
	Ref         string  `json:"$ref,omitempty"`
	Description string  `json:"description,omitempty"`
	Schema      *schema `json:"schema,omitempty"`
}

type mediaType struct {
	Schema *schema `json:"schema"`
	// ItemSchema is OpenAPI 3.2's itemSchema under the name that is registered for documents of 3.1.
	ItemSchema *schema `json:"x-oai-itemSchema,omitempty"`
}

type components struct {
	Schemas         members[*schema]        `json:"schemas,omitempty"`
	Responses       members[response]       `json:"responses,omitempty"`
	Parameters      members[parameter]      `json:"parameters,omitempty"`
	Headers         members[header]         `json:"headers,omitempty"`
	SecuritySchemes members[securityScheme] `json:"securitySchemes,omitempty"`
}

// MarshalJSON writes the operations as members of the path item.
func (p *pathItem) MarshalJSON() ([]byte, error) {
	all := make(members[any], 0, len(p.operations)+1)
	for _, m := range p.operations {
		all = append(all, member[any]{m.name, m.value})
	}
	if len(p.additional) > 0 {
		all = append(all, member[any]{"x-oai-additionalOperations", p.additional})
	}
	return all.MarshalJSON()
}

// members is a JSON object whose members keep their order.
type members[T any] []member[T]

type member[T any] struct {
	name  string
	value T
}

// get gives the value of a member, and whether there is one.
func (m members[T]) get(name string) (value T, ok bool) {
	for i := range m {
		if m[i].name == name {
			return m[i].value, true
		}
	}
	return value, false
}

// MarshalJSON writes the object.
func (m members[T]) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i := range m {
		if i > 0 {
			out.WriteByte(',')
		}
		if err := appendJSON(&out, m[i].name); err != nil {
			return nil, err
		}
		out.WriteByte(':')
		if err := appendJSON(&out, m[i].value); err != nil {
			return nil, err
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// appendJSON writes a value with <, > and & as they are: descriptions have them.
func appendJSON(out *bytes.Buffer, value any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the encoder ends with a line end
	return nil
}
