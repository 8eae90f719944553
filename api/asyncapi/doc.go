// Package asyncapi describes what Banyan sends to RabbitMQ: an AsyncAPI 3.0 document of a project's events.
//
// It owns the document. What events say is the mirror's, entities' forms are openapi's, and docs/events.md says both for people: a
// document that says something else is wrong.
//
// Formats: www.asyncapi.com/docs/reference/specification/v3.0.0, its AMQP 0-9-1 bindings of version 0.3.0, and JSON Schema.
package asyncapi
