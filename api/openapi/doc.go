// Package openapi describes what package rest serves: an OpenAPI 3.1 document for each version of the contract, made
// from its descriptors, and a page to read and try it (Swagger UI, from its Go module; nothing is asked for elsewhere).
//
// It owns the documents and how they are served. What is taken and given is rest's and jsonwire's, and docs/rest.md says
// it for people: a document that says something else is wrong.
//
// Formats: spec.openapis.org/oas/v3.1 (document), JSON Schema 2020-12 (schemas), protobuf.dev/programming-guides/json.
package openapi
